// server.mjs NAME ADDRESS PORT KEY CERTIFICATE: an MCP server over TLS, with the protocol's own server library: streamable
// HTTP at /mcp (stateless; ?json=1 answers with JSON instead of events) and the older transport at /sse and /messages.
// Tools come from standard input, one JSON array of {name, description, reply} per line; each line replaces them.
import fs from "node:fs";
import https from "node:https";
import readline from "node:readline";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [name, address, port, key, certificate] = process.argv.slice(2);
let tools = [];

function server() {
  const made = new Server({ name, version: "1.0.0" }, { capabilities: { tools: {} } });
  made.setRequestHandler(ListToolsRequestSchema, async () => ({
    tools: tools.map(({ name, description }) => ({
      name, description, inputSchema: { type: "object", properties: { text: { type: "string" } } } })),
  }));
  made.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    console.log(JSON.stringify({ called: params.name, arguments: params.arguments }));
    const tool = tools.find((one) => one.name === params.name);
    return { content: [{ type: "text", text: tool?.reply ?? "nothing" }] };
  });
  return made;
}

const sessions = new Map();

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return pieces.length ? JSON.parse(Buffer.concat(pieces)) : undefined;
}

https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) }, async (request, response) => {
  const url = new URL(request.url, "https://server");
  if (url.pathname === "/sse") {
    const transport = new SSEServerTransport("/messages", response);
    sessions.set(transport.sessionId, transport);
    await server().connect(transport);
  } else if (url.pathname === "/messages") {
    await sessions.get(url.searchParams.get("sessionId")).handlePostMessage(request, response, await body(request));
  } else if (request.method !== "POST") {
    response.writeHead(405).end();
  } else {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: undefined, enableJsonResponse: url.searchParams.has("json") });
    response.on("close", () => transport.close());
    await server().connect(transport);
    await transport.handleRequest(request, response, await body(request));
  }
}).listen(Number(port), address, () => console.log(JSON.stringify({ ready: true })));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  tools = JSON.parse(line);
  console.log(JSON.stringify({ tools: tools.length }));
});
