import { TaskMark } from '../../lab/task-mark.tsx'

/** Marks where a lab's text speaks of a task; says how it stands. */
export function Task({ id }: { id: string }) {
  return <TaskMark id={id} />
}
