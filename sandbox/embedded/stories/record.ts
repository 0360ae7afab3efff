import { writeFile } from 'node:fs/promises'
import { stories } from './library/index.ts'
import { realCluster } from './real-cluster.ts'
import { playStory } from './scene.ts'
import type { Story } from './story.ts'

const usage = `usage: KUBECONFIG=FILE node record.ts [STORY ...]

Plays the stories (all, unless some are named) on the real cluster that KUBECONFIG leads to, each in a namespace story-NAME
that is deleted afterwards, and writes what was seen to recorded/NAME.json. The cluster needs a control plane and two workers;
stories of one node (oneNode) a control plane that takes Pods. What stories do at a node's shell docker does: the cluster is one of kind's.`

/** Stories side by side. */
const width = 4

async function main(): Promise<void> {
  const kubeconfig = process.env['KUBECONFIG']
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !stories.some((story) => story.name === name))
  if (!kubeconfig || unknown.length > 0) {
    console.error(unknown.length > 0 ? `no story is called ${unknown.join(', ')}` : usage)
    process.exitCode = 2
    return
  }
  const chosen = stories.filter(({ name }) => names.length === 0 || names.includes(name))
  const cluster = realCluster(kubeconfig)
  const record = async (story: Story) => {
    try {
      const recorded = await playStory(story, cluster)
      await writeFile(new URL(`recorded/${story.name}.json`, import.meta.url), `${JSON.stringify(recorded, null, 1)}\n`)
      console.log(`${story.name}: recorded`)
    } catch (error) {
      console.error(`${story.name}:`, error)
      process.exitCode = 1
    }
  }
  const waiting = chosen.filter(({ alone }) => !alone)
  const lane = async () => {
    for (let story = waiting.shift(); story; story = waiting.shift()) await record(story)
  }
  await Promise.all(Array.from({ length: width }, lane))
  for (const story of chosen.filter(({ alone }) => alone)) await record(story)
}

await main()
