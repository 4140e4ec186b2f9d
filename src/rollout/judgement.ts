/** What comes of looking at one of a canary's figures. */
export type Judgement = { outcome: 'passes' | 'fails' | 'waits'; message: string };

export const passes = (message: string): Judgement => ({ outcome: 'passes', message });
export const fails = (message: string): Judgement => ({ outcome: 'fails', message });
export const waits = (message: string): Judgement => ({ outcome: 'waits', message });
