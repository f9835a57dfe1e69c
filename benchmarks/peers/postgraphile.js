// PostGraphile on Node's own HTTP server, as its documents show, over a view and a function of the database.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import pg from "pg";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
await pool.query(await readFile(new URL("postgraphile.sql", import.meta.url), "utf-8"));

const server = createServer();
const service = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ pool, schemas: ["postgraphile"], pubsub: false })],
  schema: { defaultBehavior: "-connection +list" },
  grafserv: { graphqlOverGET: true, graphiql: false, websockets: false, watch: false },
  grafast: { explain: false },
}).createServ(grafserv);
await service.addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
