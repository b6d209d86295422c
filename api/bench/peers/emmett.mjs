// emmett's PostgreSQL event store, driven as its documentation shows: a stream an exchange, appended
// in one call; a consumer follows meanwhile, and a projector builds a table of what was sold.
// Standard input: one exchange a line, as a JSON array of {type, data}. Arguments: URL, writers.
// Standard output: one JSON object with what was measured.

import { createInterface } from "node:readline";
import { getPostgreSQLEventStore, postgreSQLRawSQLProjection } from "@event-driven-io/emmett-postgresql";
import { rawSql, SQL } from "@event-driven-io/dumbo";

const [url, writersText] = process.argv.slice(2);
const writers = Number(writersText);

const exchanges = [];
for await (const line of createInterface({ input: process.stdin })) {
  exchanges.push(JSON.parse(line));
}
const types = [...new Set(exchanges.flat().map((event) => event.type))];
const events = exchanges.flat().length;

const store = getPostgreSQLEventStore(url);
await store.schema.migrate();

const seen = new Set(); // global positions: some messages come more than once
let handled = 0; // with those of earlier runs, which it comes by first
const reading = store.consumer();
reading.reactor({
  processorId: `reader-${writers}`,
  startFrom: "BEGINNING",
  eachMessage: async (message) => {
    handled += 1;
    if (message.metadata.streamName.startsWith(`exchange-${writers}-`)) {
      seen.add(message.metadata.globalPosition);
    }
  },
});
const following = reading.start();
await new Promise((ready) => setTimeout(ready, 300));

const each = [];
let next = 0;
const started = performance.now();
await Promise.all(
  Array.from({ length: writers }, async () => {
    while (next < exchanges.length) {
      const number = next++;
      const before = performance.now();
      await store.appendToStream(`exchange-${writers}-${number}`, exchanges[number]);
      each.push(performance.now() - before);
    }
  }),
);
const seconds = (performance.now() - started) / 1000;
// It has missed what it does not come to once it makes no progress any more, however slow it is.
let earlier = -1;
while (seen.size < events && handled > earlier) {
  earlier = handled;
  await new Promise((again) => setTimeout(again, 5_000));
}
await reading.stop();
await following;

const sold = postgreSQLRawSQLProjection({
  name: `sold-${writers}`,
  canHandle: types,
  init: () => rawSql("CREATE TABLE IF NOT EXISTS emmett_sold (what text PRIMARY KEY, number bigint)"),
  evolve: (event) =>
    SQL`INSERT INTO emmett_sold VALUES (${event.type}, 1)
        ON CONFLICT (what) DO UPDATE SET number = emmett_sold.number + 1`,
});
const projecting = store.consumer({ pulling: { batchSize: 100 }, stopWhen: { noMessagesLeft: true } });
projecting.projector({ projection: sold, processorId: `sold-${writers}`, startFrom: "BEGINNING" });
const before = performance.now();
await projecting.start();
const projected = (performance.now() - before) / 1000;
await projecting.close();
await reading.close();
await store.close();

console.log(JSON.stringify({ seconds, each, events, missed: events - seen.size, projected }));
process.exit(0);
