// What a verb may touch of the world around it; tests hand in their own.

export interface Io {
  stdout: (text: string | Uint8Array) => void;
  stderr: (text: string) => void;
  /** Absolute; '' where the current folder has been deleted. For path.resolve() only, which then fails for relative paths. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Where stdout is a terminal: its size now, in characters. */
  screen?: { columns(): number; rows(): number } | undefined;
}
