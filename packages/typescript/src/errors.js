/** A record cannot be used. The message names the field and never contains its value, which may be personal data. */
export class UnusableRecord extends Error {
  constructor(reason, problem) {
    super(problem);
    this.name = "UnusableRecord";
    this.reason = reason;
  }
}

export const unreadable = (problem) => new UnusableRecord("unreadable", problem);
