// The program of a worker process. Its signals come before everything else: with no listener Node would open its
// inspector on SIGUSR1, and a terminal's HUP or INT, meant for the master, would end it.
const ignore = (): void => undefined;
for (const signal of ['SIGUSR1', 'SIGHUP', 'SIGINT'] as const) process.on(signal, ignore);

const { WorkerProcess } = await import('./worker-process.ts');
new WorkerProcess().listen();
