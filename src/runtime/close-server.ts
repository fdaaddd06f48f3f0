// Ends an HTTP server of operators: the admin page, the control socket.
import type { Server } from 'node:http';

/** Lets answers that are under way end for `grace` milliseconds; resolves when every connection is closed. */
export async function closeServer(server: Server, grace: number): Promise<void> {
  const deadline = setTimeout(() => server.closeAllConnections(), grace);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  clearTimeout(deadline);
}
