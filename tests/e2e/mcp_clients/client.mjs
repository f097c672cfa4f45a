// client.mjs: does with the protocol's own client library what standard input says, a JSON array of steps
// {url, transport: "http"|"sse", list: true | call: name, arguments}; writes one JSON array of outcomes.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import fs from "node:fs";

const outcomes = [];
for (const step of JSON.parse(fs.readFileSync(0))) {
  const client = new Client({ name: "test", version: "1.0.0" });
  const Transport = step.transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
  try {
    await client.connect(new Transport(new URL(step.url)));
    if (step.list) {
      outcomes.push({ tools: (await client.listTools()).tools.map((tool) => tool.name) });
    } else {
      const result = await client.callTool({ name: step.call, arguments: step.arguments ?? {} });
      outcomes.push({ text: result.content[0].text });
    }
  } catch (error) {
    outcomes.push({ error: error.message, code: error.code ?? null, data: error.data ?? null });
  }
  await client.close().catch(() => {});
}
console.log(JSON.stringify(outcomes));
process.exit(0);
