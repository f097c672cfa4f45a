"""Amazon Bedrock of llm_provider: Converse and ConverseStream with AWS's binary event stream, behind a check of the request's
signature (SigV4) as AWS documents it. The model repeats what it was told, as everywhere in the tests."""

import hashlib
import hmac
import json
import struct
import urllib.parse
import zlib

HOST = "bedrock-runtime.us-east-1.amazonaws.com"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def fault(method, path, headers, body, keys):
    """What is wrong with the signature; None when it is right. `keys`: (id, secret, token or None)."""
    authorization = headers.get("Authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return "the request is not signed"
    parts = dict(part.strip().split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(","))
    identity, day, region, service, _ = parts["Credential"].split("/")
    if identity != keys[0]:
        return f"the key {identity} is not known"
    if headers.get("X-Amz-Security-Token") != keys[2]:
        return "the security token is not the key's"
    if headers.get("X-Amz-Content-Sha256", digest(body)) != digest(body):
        return "X-Amz-Content-Sha256 is not the content's"
    names = parts["SignedHeaders"].split(";")
    needed = {"host"} | {name.lower() for name in headers if name.lower().startswith("x-amz-")}
    if not needed <= set(names):
        return f"{needed - set(names)} must be signed"
    path, _, query = path.partition("?")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join([
        method, urllib.parse.quote(path, safe="/-_.~"),
        "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in pairs),
        *(f"{name}:{' '.join(headers[name].split())}" for name in names), "", ";".join(names), digest(body)])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"], scope, digest(canonical.encode())])
    key = ("AWS4" + keys[1]).encode()
    for part in (day, region, service, "aws4_request"):
        key = sign(key, part)
    if not hmac.compare_digest(sign(key, text).hex(), parts["Signature"]):
        return "the signature does not match"
    return None


def message(event, document):
    """A message of the event stream."""
    headers = b""
    for name, value in ((":event-type", event), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
    payload = json.dumps(document).encode()
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    data = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return data + struct.pack(">I", zlib.crc32(data))


def converse(request, pieces_of):
    """(the whole answer, the messages of a stream)."""
    said = " ".join(part["text"] for part in request["messages"][-1]["content"] if "text" in part)
    answer = f"You said: {said}"
    usage = {"inputTokens": len(said.split()), "outputTokens": len(answer.split())}
    usage["totalTokens"] = sum(usage.values())
    tools = (request.get("toolConfig") or {}).get("tools")
    tool = {"toolUseId": "tool_1", "name": tools[0]["toolSpec"]["name"]} if tools else None
    block = {"toolUse": tool | {"input": {"text": said}}} if tool else {"text": answer}
    stop = "tool_use" if tool else "end_turn"
    whole = {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": stop, "usage": usage,
             "metrics": {"latencyMs": 1}}
    events = [("messageStart", {"role": "assistant"})]
    if tool:
        events.append(("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": tool}}))
        deltas = [{"toolUse": {"input": piece}} for piece in pieces_of(json.dumps({"text": said}))]
    else:
        deltas = [{"text": piece} for piece in pieces_of(answer)]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}) for delta in deltas]
    events += [("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": stop}),
               ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})]
    return whole, [message(name, document) for name, document in events]


def serve(handler, provider, body):
    """Answers one POST."""
    wrong = fault("POST", handler.path, handler.headers, body, provider.aws_keys)
    if wrong:
        provider.refused.append(wrong)
        handler.reply(403, {"message": wrong}, {"x-amzn-ErrorType": "InvalidSignatureException"})
        return
    whole, messages = converse(json.loads(body), provider.pieces_of)
    if handler.path.partition("?")[0].endswith("/converse"):
        handler.reply(200, whole)
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "application/vnd.amazon.eventstream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for one in messages:
        handler.chunk(one)
    handler.wfile.write(b"0\r\n\r\n")
