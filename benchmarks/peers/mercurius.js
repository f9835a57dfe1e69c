// Mercurius: bare; with its JIT, which compiles a document at its second use (JIT=1); as it is run in production
// (PRODUCTION=1), with what Fastify's own documents recommend for it.
import { randomUUID } from "node:crypto";

import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import Fastify from "fastify";
import mercurius from "mercurius";

import { resolvers, typeDefs } from "./organisations.js";

const { JIT, PORT, PRODUCTION } = process.env;

const app = PRODUCTION
  ? Fastify({ logger: true, requestIdHeader: "x-request-id", genReqId: () => randomUUID() })
  : Fastify();
if (PRODUCTION) {
  app.addHook("onSend", async (request, reply) => void reply.header("x-request-id", request.id));
  await app.register(helmet);
  await app.register(cors, { origin: ["https://portal.example.org"] });
  await app.register(rateLimit, { max: 1_000_000_000, timeWindow: "1 minute" });
}
await app.register(mercurius, { schema: typeDefs, resolvers, jit: JIT ? 1 : 0 });
await app.listen({ host: "127.0.0.1", port: Number(PORT) });
