# Herald's worker: docs/deploy.md, "In a container". The base is named by tag; pin it by digest where you build.

FROM python:3.11-slim-bookworm AS packages
COPY requirements/runtime.lock /build/requirements/runtime.lock
RUN python -m venv /opt/herald/.venv \
 && /opt/herald/.venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
      --only-binary :all: --requirement /build/requirements/runtime.lock \
 && /opt/herald/.venv/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libmagic1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent herald \
 && install -d -o herald -g herald -m 0700 /state
COPY --from=packages /opt/herald/.venv /opt/herald/.venv
COPY worker /opt/herald/worker
COPY pyproject.toml LICENSE /opt/herald/

WORKDIR /opt/herald
USER 10001:10001
ENV PATH=/opt/herald/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=3000 \
    STATE_DIR=/state/live

# Live sessions lie open in it: mount a tmpfs here, never a disk. Nothing else is written, so --read-only works.
VOLUME ["/state"]
EXPOSE 3000

# The worker itself, not a shell, is process 1 and gets the signal; it hands over within 45 s (--stop-timeout 45).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["python", "-m", "worker"]
