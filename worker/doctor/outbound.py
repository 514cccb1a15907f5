"""The way out: can this machine reach WhatsApp, and does nothing between them read the traffic?"""

import asyncio
import ssl

from worker.doctor.finding import Case, Finding, error

#: The accounts' connection, and media up and down.
WHATSAPP = ("web.whatsapp.com:443", "mmg.whatsapp.net:443")

_SECONDS = 6.0


async def reach(case: Case) -> list[Finding]:
    """Shake hands by TLS with every host."""
    answers = await asyncio.gather(*(_shake_hands(host) for host in case.hosts))
    return [answer for answer in answers if answer]


async def _shake_hands(address: str) -> Finding | None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context())
    except ssl.SSLError as problem:
        why = getattr(problem, "verify_message", "") or problem.reason or "TLS fails"
        what = f"{address} answers with a certificate that is not its own ({why}): somebody reads the traffic."
        return error(
            "outbound", what, f"openssl s_client -connect {address}  # shows whose; exempt {host} from the proxy"
        )
    except TimeoutError:
        why = f"no answer in {_SECONDS:.0f} s"
    except OSError as problem:
        why = problem.strerror or type(problem).__name__
    else:
        writer.close()
        return None
    return error(
        "outbound",
        f"This machine can't reach {address} ({why}), so no account can connect.",
        f"curl -v https://{address}  # shows why; then open it in the firewall",
    )
