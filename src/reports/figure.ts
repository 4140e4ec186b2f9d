import type { ObjectKey } from '../runtime/objects';
import type { ReportAddress } from './address';

/** A number about an object, for whoever has the object's own token. */
export type Figure = {
  /** Name in metrics. */
  name: string;
  address: ReportAddress;
  /** False where another replica has to be asked. */
  readonly isHere: () => boolean;
  /** False also where the object does not exist, so that an answer says nothing of it. */
  mayRead(key: ObjectKey, token: string): boolean;
  /** The number, or a sentence that says why it is not known, which is never the same as 0. */
  read(key: ObjectKey): { value: number } | { unknown: string };
};
