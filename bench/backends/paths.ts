// Where the programs under test lie, and where what they need is built.
import { join } from 'node:path';
import { projectRoot } from '../../test/helpers/project.ts';

/** Sources that other languages run as they are. */
export const PROGRAMS: string = join(projectRoot, 'bench/programs');
/** Those of ours, compiled. */
export const BUILT: string = join(projectRoot, 'dist/bench');
/** Outside of git, kept between runs. */
export const CACHE: string = join(projectRoot, '.cache/bench');
