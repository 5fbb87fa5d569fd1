// Assertions that do not stop at the first failure, so that one run reports everything.

const failures = [];
let checks = 0;

/** Notes a failure unless the condition holds. */
export const check = (holds, text) => {
  checks += 1;
  if (!holds) {
    failures.push(text);
    console.log(`  FAILED ${text}`);
  }
};

/** Prints the result, and sets the exit code. */
export const report = () => {
  console.log(`${checks} checks, ${failures.length} failed`);
  if (failures.length > 0) process.exitCode = 1;
};
