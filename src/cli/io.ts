// What a verb may touch of the world around it; tests hand in their own.

export interface Io {
  stdout: (text: string | Uint8Array) => void;
  stderr: (text: string) => void;
  cwd: string;
  env: NodeJS.ProcessEnv;
}
