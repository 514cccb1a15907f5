"""Phoenix frames: an object in version 1.0.0 (Python client), an array in 2.0.0 (supabase-js)."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    topic: str
    event: str
    payload: dict[str, Any]
    ref: str | None = None
    join_ref: str | None = None

    def reply(self, status: str, response: dict[str, Any]) -> "Frame":
        return Frame(
            topic=self.topic,
            event="phx_reply",
            payload={"status": status, "response": response},
            ref=self.ref,
            join_ref=self.join_ref,
        )


def decode(text: str, version: str) -> Frame:
    """Raises ValueError, KeyError or TypeError for what isn't a frame."""
    message = json.loads(text)
    if version.startswith("2"):
        join_ref, ref, topic, event, payload = message
    else:
        topic, event, payload = message["topic"], message["event"], message["payload"]
        ref, join_ref = message.get("ref"), message.get("join_ref")
    return Frame(topic=topic, event=event, payload=dict(payload), ref=ref, join_ref=join_ref)


def encode(frame: Frame, version: str) -> str:
    if version.startswith("2"):
        return json.dumps([frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload])
    return json.dumps({"topic": frame.topic, "event": frame.event, "payload": frame.payload, "ref": frame.ref})
