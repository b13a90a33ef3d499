// What browsers and workers have and TypeScript's library for pages does not declare.

declare function importScripts(...addresses: string[]): void;

interface Navigator {
  readonly gpu?: { requestAdapter(): Promise<{ readonly info?: Record<string, string> } | null> };
}
