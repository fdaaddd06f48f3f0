// Tells of an app that listens on a port of its own: requests come from viaduct, who asks that port goes past nginx, and of
// several workers only the first can have it.

/** What `load` gives. Warns, once a file, where more TCP servers listen after it than before; Unix sockets do not show. */
export async function noticingServers<T>(place: string, load: () => Promise<T>): Promise<T> {
  const before = tcpServers();
  const loaded = await load();
  if (tcpServers() > before) {
    process.emitWarning(
      `${place} listens on a port of its own: leave out its listen() where viaduct loads it, requests come from viaduct`,
      { code: 'VIADUCT_APP_LISTENS' },
    );
  }
  return loaded;
}

const tcpServers = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;
