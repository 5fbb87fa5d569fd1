export { decode } from "./decode.js";
export { UnusableRecord } from "./errors.js";
export {
  PROFILE_DELETED_TYPE,
  PROFILE_DESCRIBED_TYPE,
  PROFILE_STATE_TYPE,
  PROFILE_STATUS_CHANGED_TYPE,
} from "./shapes.js";
export { knownStatus, View } from "./view.js";
