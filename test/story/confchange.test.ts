import { Changer, ConfChangeError } from "../../src/raft/confchange.ts";
import { describeConfiguration, describeProgressMap } from "../../src/raft/describe.ts";
import { EMPTY_MEMBERSHIP, type Membership } from "../../src/raft/tracker.ts";
import { parseChanges } from "./changes.ts";
import { type Command, playStories, valueOf } from "./stories.ts";

playStories("confchange/testdata", () => {
  let membership = EMPTY_MEMBERSHIP;
  let lastIndex = 0;
  return (command) => {
    const changer = new Changer(membership, lastIndex++, { messagesMax: 10, bytesMax: Infinity });
    try {
      membership = change(changer, command);
    } catch (error) {
      if (error instanceof ConfChangeError) return error.message;
      throw error;
    }
    const { configuration, progress } = membership;
    return `${describeConfiguration(configuration)}\n${describeProgressMap(progress)}`.trimEnd();
  };
});

function change(changer: Changer, command: Command): Membership {
  if (command.name === "leave-joint") return changer.leaveJoint();
  const changes = parseChanges(command.input);
  if (command.name === "simple") return changer.simple(changes);
  return changer.enterJoint(changes, { autoLeave: valueOf(command, "autoleave") === "true" });
}
