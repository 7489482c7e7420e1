import { api } from "../../proto/index.ts";
import type { Client, Deadline } from "../../client/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define, defineSub } from "../define.ts";
import { messageView } from "../printers/view.ts";

const { GET, DEACTIVATE } = api.ALARM_ACTION;
const NAMES = Object.keys(api.ALARM_TYPE);

const list = defineSub({
  use: "list",
  short: "Lists all alarms",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("alarm list command accepts no arguments");
    const deadline = await commandDeadline(ctl);
    showAlarms(ctl, await alarms(await ctl.connect(), { action: GET }, deadline));
  },
});

const disarm = defineSub({
  use: "disarm",
  short: "Disarms all alarms",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("alarm disarm command accepts no arguments");
    const deadline = await commandDeadline(ctl);
    const client = await ctl.connect();
    const raised = await alarms(client, { action: GET }, deadline);
    const disarmed: api.AlarmMember[] = [];
    for (const alarm of raised.alarms) {
      const answer = await alarms(client, { action: DEACTIVATE, ...alarm }, deadline);
      disarmed.push(...answer.alarms);
    }
    // Put together from several answers, this one has no header.
    showAlarms(ctl, { header: undefined, alarms: disarmed });
  },
});

async function alarms(
  client: Client,
  request: Partial<api.AlarmRequest>,
  deadline: Deadline,
): Promise<api.AlarmResponse> {
  const { maintenance } = await import("../../client/index.ts");
  return callOrExit(client, maintenance.alarm, request, { deadline });
}

function showAlarms(ctl: Ctl, answer: api.AlarmResponse): void {
  ctl.show(
    messageView(api.AlarmResponse, answer, {
      simple: (page) => {
        for (const { memberID, alarm } of answer.alarms) {
          page.line(`memberID:${memberID} alarm:${NAMES[alarm] ?? alarm}`);
        }
      },
      fields: (lines) => {
        lines.header(answer.header);
        for (const { memberID, alarm } of answer.alarms) {
          lines.id("MemberID", memberID);
          lines.add("AlarmType", NAMES[alarm] ?? alarm);
          lines.gap();
        }
      },
    }),
  );
}

export const alarm = define({
  use: "alarm <subcommand>",
  long: "Alarm related commands",
  commands: [disarm, list],
});
