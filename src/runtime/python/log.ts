// What becomes of Python processes, into the log and the numbers of record.
import type { Logger } from 'pino';
import type { Record } from '../record.ts';
import type { PythonEvents } from './pool-set.ts';

export function logPython(record: Record, logs: { readonly logger: Logger }): PythonEvents {
  return {
    spawned: ({ mount, number, pid }) => {
      record.spawned('python');
      logs.logger.debug({ mount, process: number, process_pid: pid }, 'A Python process starts');
    },
    serving: (process) => {
      const { mount, number, pid } = process;
      record.serving('python', process);
      logs.logger.info({ mount, process: number, process_pid: pid }, 'A Python process serves');
    },
    exited: (process, place, reason) => record.pythonExited(process, place, reason),
  };
}
