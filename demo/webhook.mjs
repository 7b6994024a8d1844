// Takes what an A2A agent pushes. Copy this file into your application; it needs `npm install express jose`.
//   AGENT=https://agent.example.com URL=https://app.example.com/webhook TOKEN=secret PORT=8080 node webhook.mjs
import { createHash, timingSafeEqual } from "node:crypto";
import { pathToFileURL } from "node:url";
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";

const sha256 = (data) => createHash("sha256").update(data).digest();
const MUST = { algorithms: ["EdDSA"], clockTolerance: 60, requiredClaims: ["exp"], maxTokenAge: 600 };

/** Express handlers for a webhook that is registered as `url` (or one of several), perhaps with `token`. `agent` is the
 *  agent's URL, whose keys sign. `take(id, event)` gets each event once. */
export function webhook({ agent, url, token, take }) {
  const keys = createRemoteJWKSet(new URL(`${agent}/.well-known/jwks.json`), { timeoutDuration: 2000, cacheMaxAge: 300_000 });
  const seen = new Set(); // with several processes: a table of your database

  /** Why this is not what the agent sent under this id to this webhook, lately; nothing if it is. */
  async function refusal(request, body) {
    const shown = request.get("x-a2a-notification-token") ?? "";
    if (token && !timingSafeEqual(sha256(shown), sha256(token))) return "not the token that was registered";
    const proof = request.get("x-a2a-notification-jwt");
    if (!proof) return "no x-a2a-notification-jwt";
    const { payload } = await jwtVerify(proof, keys, { ...MUST, audience: url });
    if (payload.jti !== request.get("webhook-id")) return "the JWT of another push";
    if (payload.request_body_sha256 !== sha256(body).toString("hex")) return "not the body that was signed";
  }

  async function push(request, response) {
    const body = request.body ?? Buffer.alloc(0);
    const answer = (status, text) => response.status(status).type("text").send(text);
    try {
      const why = await refusal(request, body);
      if (why) return answer(401, `not a push of the agent: ${why}`);
    } catch (error) {
      const code = error.code ?? ""; // not the message: it may quote what a stranger wrote
      const known = /^ERR_J(WS|WT|OSE_ALG|OSE_NOT)|^ERR_JWKS_NO_MATCHING_KEY/.test(code);
      if (!known) return answer(503, "the agent's keys cannot be had"); // the agent tries again later
      return answer(401, `not a push of the agent: ${code}${error.claim ? ` of ${error.claim}` : ""}`);
    }
    const id = request.get("webhook-id");
    if (seen.has(id)) return answer(200, "duplicate"); // delivery is at least once, and the id the same on every attempt
    await take(id, JSON.parse(body));
    seen.add(id); // remembered after the work: what fails halfway is taken when it comes again
    if (seen.size > 10_000) seen.delete(seen.values().next().value);
    return answer(200, "ok");
  }

  return [express.raw({ type: () => true, limit: "1mb" }), push];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { AGENT: agent, URL: url, TOKEN: token, PORT = 8080 } = process.env;
  const app = express();
  app.post(/.*/, webhook({ agent, url, token, take: (id, event) => console.log(id, JSON.stringify(event)) }));
  const server = app.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
}
