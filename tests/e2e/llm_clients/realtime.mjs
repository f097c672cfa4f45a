// realtime.mjs: talks with a realtime model. Standard input: {key, client, texts, deflate, fragments, raw}, where client is
// "openai" (the provider's own) or "ws" (a plain WebSocket, whose messages may be sent in fragments), and raw a first
// message: {binary} or {text}. Prints one line of JSON: what was heard, what it cost, how it ended.
import { readFileSync } from "node:fs";
import WebSocket from "ws";

const { key, client, texts, deflate, fragments, raw } = JSON.parse(readFileSync(0, "utf8"));
const model = "gpt-realtime";
const heard = { texts: [], done: [], usage: [], errors: [] };
let asked = 0;
let send;

function ask() {
  if (asked === texts.length) return false;
  send({ type: "conversation.item.create",
         item: { type: "message", role: "user", content: [{ type: "input_text", text: texts[asked++] }] } });
  send({ type: "response.create" });
  heard.texts.push("");
  return true;
}

function hear(event, close) {
  if (event.type === "session.created" && !ask()) close();
  if (event.type === "response.text.delta") heard.texts[heard.texts.length - 1] += event.delta;
  if (event.type === "response.text.done") heard.done.push(event.text);
  if (event.type === "error") heard.errors.push(event.error);
  if (event.type === "response.done") {
    heard.usage.push(event.response.usage);
    if (!ask()) close();
  }
}

function end(code, reason) {
  console.log(JSON.stringify({ ...heard, code, reason: reason.toString() }));
  process.exit(0);
}

if (client === "openai") {
  const { OpenAI } = await import("openai");
  const { OpenAIRealtimeWS } = await import("openai/beta/realtime/ws");
  const realtime = new OpenAIRealtimeWS({ model }, new OpenAI({ apiKey: key }));
  send = (event) => realtime.send(event);
  realtime.on("event", (event) => hear(event, () => realtime.close({ code: 1000, reason: "OK" })));
  realtime.on("error", () => {});
  realtime.socket.on("close", end);
} else {
  const socket = new WebSocket(`wss://api.openai.com/v1/realtime?model=${model}`,
                               { headers: { Authorization: `Bearer ${key}` }, perMessageDeflate: deflate });
  send = (event) => {
    const text = JSON.stringify(event);
    const compress = text.length > 100;
    if (!fragments) return socket.send(text, { compress });
    for (let at = 0; at < text.length; at += 5) {
      socket.send(text.slice(at, at + 5), { fin: at + 5 >= text.length, compress });
    }
  };
  socket.on("open", () => {
    if (raw?.binary) socket.send(Buffer.from(raw.binary));
    if (raw?.text) socket.send(raw.text);
    if (raw?.ping) socket.ping(raw.ping);
  });
  socket.on("message", (data) => hear(JSON.parse(data), () => socket.close(1000)));
  socket.on("error", (error) => heard.errors.push({ message: error.message }));
  socket.on("unexpected-response", (_, response) => end(response.statusCode, "no WebSocket"));
  socket.on("close", end);
}
