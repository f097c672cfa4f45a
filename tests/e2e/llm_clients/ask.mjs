// ask.mjs API [--stream] [--tool] [--model M] [--base URL] [--times N]: one question by a provider's own client, {text,
// key} from standard input, because arguments are in the audit trail. Prints one line of JSON: what a program that uses the client sees. API: chat,
// responses, embeddings (OpenAI), messages, count (Anthropic), gemini.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stream: { type: "boolean" }, tool: { type: "boolean" }, model: { type: "string" }, base: { type: "string" },
    times: { type: "string", default: "1" },
  },
});
const [api] = positionals;
const { text, key } = JSON.parse(readFileSync(0, "utf8"));
const stream = values.stream ?? false;
const schema = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };
// Only what is asked: each takes a while to load.
const openai = async () =>
  new (await import("openai")).OpenAI({ apiKey: key, baseURL: values.base, maxRetries: 0 });
const anthropic = async () =>
  new (await import("@anthropic-ai/sdk")).Anthropic({ apiKey: key, baseURL: values.base, maxRetries: 0 });
const google = async () =>
  new (await import("@google/genai")).GoogleGenAI({ apiKey: key, httpOptions: values.base ? { baseUrl: values.base } : {} });

const apis = {
  async chat() {
    const request = { model: values.model ?? "gpt-4o-mini", stream, messages: [
      { role: "system", content: "You repeat." }, { role: "user", content: text }] };
    if (values.tool) request.tools = [{ type: "function", function: { name: "note", parameters: schema } }];
    const answer = await (await openai()).chat.completions.create(request);
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
  async responses() {
    const answer = await (await openai()).responses.create({ model: values.model ?? "gpt-4.1", input: text, stream });
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
  async embeddings() {
    const answer = await (await openai()).embeddings.create({ model: values.model ?? "text-embedding-3-small", input: text,
                                                      encoding_format: "float" });
    return { count: answer.data.length, usage: answer.usage };
  },
  async messages() {
    const request = { model: values.model ?? "claude-sonnet-4-5", max_tokens: 200, system: "You repeat.",
                      messages: [{ role: "user", content: text }] };
    if (values.tool) request.tools = [{ name: "note", description: "Notes.", input_schema: schema }];
    if (!stream) {
      const answer = await (await anthropic()).messages.create(request);
      return { text: answer.content[0].text, tool: answer.content[0].input, usage: answer.usage,
               finish: answer.stop_reason };
    }
    let events = 0;
    const running = (await anthropic()).messages.stream(request);
    running.on("streamEvent", () => events++);
    const answer = await running.finalMessage();
    return { text: answer.content[0].text, tool: answer.content[0].input, usage: answer.usage,
             finish: answer.stop_reason, events };
  },
  async count() {
    const answer = await (await anthropic()).messages.countTokens({ model: values.model ?? "claude-sonnet-4-5",
                                                            messages: [{ role: "user", content: text }] });
    return { usage: answer };
  },
  async gemini() {
    const client = await google();
    const request = { model: values.model ?? "gemini-2.5-flash", contents: text };
    if (values.tool) {
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

for (let i = 0; i < Number(values.times); i++) {
  try {
    console.log(JSON.stringify(await apis[api]()));
  } catch (error) {
    console.log(JSON.stringify({ error: { name: error.constructor.name, status: error.status, message: error.message,
                                          code: error.code, type: error.type ?? error.error?.error?.type,
                                          retry_after: error.headers?.get?.("retry-after") ?? error.headers?.["retry-after"] } }));
  }
}
