// How many series of metrics the apps of a configuration may have.
import type { Config } from '../config/types.ts';
import { appSeriesLimit } from '../observe/app-metrics.ts';

/** Python apps have none here. */
export const seriesLimitOf = ({ mounts }: Pick<Config, 'mounts'>): number =>
  appSeriesLimit(mounts.filter(({ python }) => python === null).length);
