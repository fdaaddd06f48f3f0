// What comes and goes with every request, in V8's own tables and in ours.
import { bench, run, summary } from 'mitata';
import { type Member, Roster } from '../../src/gateway/roster.ts';
import { IdTable } from '../../src/protocol/fastcgi/id-table.ts';

class Guest implements Member {
  place = -1;
}

const set = new Set<Guest>();
const roster = new Roster<Guest>();
const map = new Map<number, Guest>();
const ids = new IdTable<Guest>();

summary(() => {
  bench('Set: add, delete', () => {
    const guest = new Guest();
    set.add(guest);
    set.delete(guest);
  });
  bench('Roster: add, delete', () => {
    const guest = new Guest();
    roster.add(guest);
    roster.delete(guest);
  });
});

summary(() => {
  bench('Map: set, get, delete', () => {
    map.set(1, new Guest());
    map.get(1);
    map.delete(1);
  });
  bench('IdTable: set, get, delete', () => {
    ids.set(1, new Guest());
    ids.get(1);
    ids.delete(1);
  });
});

await run();
