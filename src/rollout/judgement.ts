/** What comes of looking at one of a canary's figures. */
export type Judgement = {
  outcome: 'passes' | 'fails' | 'waits';
  message: string;
  /** Of a wait: nothing that is under way will end it. */
  isStuck?: boolean;
};

export const passes = (message: string): Judgement => ({ outcome: 'passes', message });
export const fails = (message: string): Judgement => ({ outcome: 'fails', message });
export const waits = (message: string, isStuck = false): Judgement => ({
  outcome: 'waits',
  message,
  isStuck,
});
