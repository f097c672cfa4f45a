// ask.mjs: questions to models by the providers' own clients. Standard input: {key, questions: [{api, text, stream, tool,
// model, base}]}, where api is chat, responses, embeddings (OpenAI), messages, count (Anthropic) or gemini, and base a base
// URL. Prints one line of JSON for each: what a program that uses the client sees.
import { readFileSync } from "node:fs";

const { key, questions } = JSON.parse(readFileSync(0, "utf8"));
const schema = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };
// Only what is asked: each takes a while to load.
const openai = async (baseURL) =>
  new (await import("openai")).OpenAI({ apiKey: key, baseURL, maxRetries: 0 });
const anthropic = async (baseURL) =>
  new (await import("@anthropic-ai/sdk")).Anthropic({ apiKey: key, baseURL, maxRetries: 0 });
const google = async (baseUrl) =>
  new (await import("@google/genai")).GoogleGenAI({ apiKey: key, httpOptions: baseUrl ? { baseUrl } : {} });

const apis = {
  async chat({ text, stream, tool, model, base }) {
    const request = { model: model ?? "gpt-4o-mini", stream, messages: [
      { role: "system", content: "You repeat." }, { role: "user", content: text }] };
    if (tool) request.tools = [{ type: "function", function: { name: "note", parameters: schema } }];
    const answer = await (await openai(base)).chat.completions.create(request);
    if (!stream) {
      const message = answer.choices[0].message;
      return { text: message.content, tool: message.tool_calls?.[0].function, usage: answer.usage,
               finish: answer.choices[0].finish_reason, model: answer.model };
    }
    const result = { text: "", chunks: 0, choiceless: 0 };
    for await (const chunk of answer) {
      result.chunks++;
      if (chunk.usage) result.usage = chunk.usage;
      const choice = chunk.choices[0];
      if (!choice) { result.choiceless++; continue; }
      result.text += choice.delta.content ?? "";
      for (const call of choice.delta.tool_calls ?? []) {
        result.tool ??= { name: call.function.name, arguments: "" };
        result.tool.arguments += call.function.arguments ?? "";
      }
      if (choice.finish_reason) result.finish = choice.finish_reason;
    }
    return result;
  },
  async responses({ text, stream, model, base }) {
    const answer = await (await openai(base)).responses.create({ model: model ?? "gpt-4.1", input: text, stream });
    if (!stream) return { text: answer.output_text, usage: answer.usage };
    const result = { text: "" };
    for await (const event of answer) {
      if (event.type === "response.output_text.delta") result.text += event.delta;
      if (event.type === "response.output_text.done") result.done = event.text;
      if (event.type === "response.completed") {
        result.usage = event.response.usage;
        result.completed = event.response.output[0].content[0].text;
      }
    }
    return result;
  },
  async embeddings({ text, model, base }) {
    const answer = await (await openai(base)).embeddings.create({
      model: model ?? "text-embedding-3-small", input: text, encoding_format: "float" });
    return { count: answer.data.length, usage: answer.usage };
  },
  async messages({ text, stream, tool, model, base }) {
    const request = { model: model ?? "claude-sonnet-4-5", max_tokens: 200, system: "You repeat.",
                      messages: [{ role: "user", content: text }] };
    if (tool) request.tools = [{ name: "note", description: "Notes.", input_schema: schema }];
    const client = await anthropic(base);
    if (!stream) {
      const answer = await client.messages.create(request);
      return { text: answer.content[0].text, tool: answer.content[0].input, usage: answer.usage,
               finish: answer.stop_reason };
    }
    let events = 0;
    const running = client.messages.stream(request);
    running.on("streamEvent", () => events++);
    const answer = await running.finalMessage();
    return { text: answer.content[0].text, tool: answer.content[0].input, usage: answer.usage,
             finish: answer.stop_reason, events };
  },
  async count({ text, model, base }) {
    const answer = await (await anthropic(base)).messages.countTokens({
      model: model ?? "claude-sonnet-4-5", messages: [{ role: "user", content: text }] });
    return { usage: answer };
  },
  async gemini({ text, stream, tool, model, base }) {
    const client = await google(base);
    const request = { model: model ?? "gemini-2.5-flash", contents: text };
    if (tool) {
      request.config = { tools: [{ functionDeclarations: [{ name: "note", parametersJsonSchema: schema }] }] };
    }
    if (!stream) {
      const answer = await client.models.generateContent(request);
      return { text: answer.text, tool: answer.functionCalls?.[0].args, usage: answer.usageMetadata };
    }
    const result = { text: "" };
    for await (const chunk of await client.models.generateContentStream(request)) {
      result.text += chunk.text ?? "";
      if (chunk.functionCalls) result.tool = chunk.functionCalls[0].args;
      result.usage = chunk.usageMetadata;
    }
    return result;
  },
};

// The client's own default is HTTP/2 without a fallback to HTTP/1.1. Its keys are none that any server knows.
apis.bedrock = async ({ text, stream, tool, model }) => {
  const { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } = await import("@aws-sdk/client-bedrock-runtime");
  const { NodeHttpHandler } = await import("@smithy/node-http-handler");
  const client = new BedrockRuntimeClient({
    region: "us-east-1", credentials: { accessKeyId: "AKIAPLACEHOLDER", secretAccessKey: key, sessionToken: "none" },
    requestHandler: new NodeHttpHandler(), maxAttempts: 1 });
  const request = { modelId: model ?? "anthropic.claude-3-haiku-20240307-v1:0",
                    messages: [{ role: "user", content: [{ text }] }] };
  if (tool) request.toolConfig = { tools: [{ toolSpec: { name: "note", inputSchema: { json: schema } } }] };
  if (!stream) {
    const answer = await client.send(new ConverseCommand(request));
    const [block] = answer.output.message.content;
    return { text: block.text, tool: block.toolUse?.input, usage: answer.usage, finish: answer.stopReason };
  }
  const result = { text: "" };
  let input = "";
  for await (const event of (await client.send(new ConverseStreamCommand(request))).stream) {
    result.text += event.contentBlockDelta?.delta.text ?? "";
    input += event.contentBlockDelta?.delta.toolUse?.input ?? "";
    if (event.metadata) result.usage = event.metadata.usage;
    if (event.messageStop) result.finish = event.messageStop.stopReason;
  }
  if (input) result.tool = JSON.parse(input);
  return result;
};

for (const question of questions) {
  try {
    console.log(JSON.stringify(await apis[question.api]({ stream: false, ...question })));
  } catch (error) {
    console.log(JSON.stringify({ error: {
      name: error.constructor.name, status: error.status, message: error.message, code: error.code,
      type: error.type ?? error.error?.error?.type,
      retry_after: error.headers?.get?.("retry-after") ?? error.headers?.["retry-after"] } }));
  }
}
