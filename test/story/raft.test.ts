import { newRaftPlayer } from "./raft-player.ts";
import { playStories } from "./stories.ts";

playStories("testdata", (story) => newRaftPlayer(story));
