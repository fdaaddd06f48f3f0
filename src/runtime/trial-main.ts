// The program of the process in which `viaduct check --load-apps` boots the apps. Serves nothing; it ends when it has said
// what failed, or when nobody listens any more.
import { setImmediate } from 'node:timers/promises';
import { describeThrown, sayThrown } from '../observe/describe-error.ts';
import { MetricSlots } from '../observe/metric-slots.ts';
import { mountOf } from './blame.ts';
import { type BootFailure, bootMounts } from './boot.ts';
import type { TrialOrder, TrialReport } from './try-boot.ts';

process.on('disconnect', () => process.exit(1));
process.once('message', (order) => void tryApps(order as TrialOrder));

async function tryApps({ config, skip }: TrialOrder): Promise<void> {
  let loading = '';
  const strays: BootFailure[] = [];
  // A worker goes on after them, and so does this: the other apps are to be tried, too.
  const stray = (error: unknown): void => {
    const { stack } = describeThrown(error);
    const message = `An application failed outside of any request: ${stack ?? sayThrown(error)}`;
    strays.push({ mount: mountOf(error, config.mounts) ?? loading, message });
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
  const onLoad = (mount: string): void => {
    loading = mount;
    send({ kind: 'loading', mount });
  };
  const { failures } = await bootMounts(config, new MetricSlots(), { skip, onLoad });
  // A rejection that nobody handles is told at the end of a turn.
  await setImmediate();
  send({ kind: 'tried', failures: [...strays, ...failures] }, () => process.exit(0));
}

function send(report: TrialReport, sent: () => void = () => undefined): void {
  process.send?.(report, undefined, undefined, sent);
}
