import { status } from '@grpc/grpc-js'
import { EtcdError } from './rpc.ts'

export interface Permission {
  /** 0 read, 1 write, 2 both */
  permType: number
  key: Uint8Array
  range_end: Uint8Array
}

/**
 * Users and roles of etcd, which are there to be looked after: nobody is asked for them, since authentication stays off. A real etcd
 * that is made to ask locks out an API server that has no user, and so would this one.
 */
export class Accounts {
  private readonly users = new Map<string, Set<string>>()
  private readonly roles = new Map<string, Permission[]>()
  private changes = 1

  get revision(): number {
    return this.changes
  }

  /** Throws EtcdError always. */
  enable(): never {
    const root = this.users.get('root')
    if (!root) throw refused('root user does not exist')
    if (!root.has('root')) throw refused('root user does not have root role')
    throw refused('authentication stays off: the API server has no user')
  }

  addUser(name: string): void {
    if (!name) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: user name is empty')
    if (this.users.has(name)) throw refused('user name already exists')
    this.users.set(name, new Set())
    this.changes++
  }

  deleteUser(name: string): void {
    this.user(name)
    this.users.delete(name)
    this.changes++
  }

  /** Passwords are not kept: nobody may give one. */
  changePassword(name: string): void {
    this.user(name)
    this.changes++
  }

  userNames(): string[] {
    return [...this.users.keys()].sort()
  }

  rolesOf(name: string): string[] {
    return [...this.user(name)].sort()
  }

  grantRole(name: string, role: string): void {
    const user = this.user(name)
    if (role !== 'root') this.role(role)
    user.add(role)
    this.changes++
  }

  revokeRole(name: string, role: string): void {
    if (!this.user(name).delete(role)) throw refused('role is not granted to the user')
    this.changes++
  }

  addRole(name: string): void {
    if (!name) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: role name is empty')
    if (this.roles.has(name)) throw refused('role name already exists')
    this.roles.set(name, [])
    this.changes++
  }

  deleteRole(name: string): void {
    this.role(name)
    this.roles.delete(name)
    for (const granted of this.users.values()) granted.delete(name)
    this.changes++
  }

  roleNames(): string[] {
    return [...this.roles.keys()].sort()
  }

  permissionsOf(name: string): readonly Permission[] {
    return this.role(name)
  }

  grantPermission(name: string, permission: Permission): void {
    const kept = this.role(name).filter((one) => !isSameRange(one, permission))
    const sorted = [...kept, permission].sort((a, b) => Buffer.compare(a.key, b.key) || Buffer.compare(a.range_end, b.range_end))
    this.roles.set(name, sorted)
    this.changes++
  }

  revokePermission(name: string, range: Pick<Permission, 'key' | 'range_end'>): void {
    const known = this.role(name)
    const kept = known.filter((one) => !isSameRange(one, range))
    if (kept.length === known.length) throw refused('permission is not granted to the role')
    this.roles.set(name, kept)
    this.changes++
  }

  private user(name: string): Set<string> {
    const user = this.users.get(name)
    if (!user) throw refused('user name not found')
    return user
  }

  private role(name: string): Permission[] {
    const role = this.roles.get(name)
    if (!role) throw refused('role name not found')
    return role
  }
}

/** The methods of etcd's Auth service on these. */
export function accountMethods<T>(accounts: Accounts, unary: (answer: (request: object) => object) => T): Record<string, T> {
  const done = (act: (request: Wanted) => unknown) =>
    unary((request) => {
      act(request as Wanted)
      return {}
    })
  return {
    AuthStatus: unary(() => ({ enabled: false, authRevision: accounts.revision })),
    AuthEnable: done(() => accounts.enable()),
    AuthDisable: done(() => {}),
    Authenticate: done(() => {
      throw refused('authentication is not enabled')
    }),
    UserAdd: done(({ name }) => accounts.addUser(name)),
    UserGet: unary((request) => ({ roles: accounts.rolesOf((request as Wanted).name) })),
    UserList: unary(() => ({ users: accounts.userNames() })),
    UserDelete: done(({ name }) => accounts.deleteUser(name)),
    UserChangePassword: done(({ name }) => accounts.changePassword(name)),
    UserGrantRole: done(({ user, role }) => accounts.grantRole(user, role)),
    UserRevokeRole: done(({ name, role }) => accounts.revokeRole(name, role)),
    RoleAdd: done(({ name }) => accounts.addRole(name)),
    RoleGet: unary((request) => ({ perm: accounts.permissionsOf((request as Wanted).role) })),
    RoleList: unary(() => ({ roles: accounts.roleNames() })),
    RoleDelete: done(({ role }) => accounts.deleteRole(role)),
    RoleGrantPermission: done(({ name, perm }) => accounts.grantPermission(name, perm)),
    RoleRevokePermission: done(({ role, ...range }) => accounts.revokePermission(role, range)),
  }
}

/** What requests of this service say, each a part of it. */
interface Wanted {
  name: string
  user: string
  role: string
  perm: Permission
  key: Uint8Array
  range_end: Uint8Array
}

function isSameRange(a: Pick<Permission, 'key' | 'range_end'>, b: Pick<Permission, 'key' | 'range_end'>): boolean {
  return Buffer.compare(a.key, b.key) === 0 && Buffer.compare(a.range_end, b.range_end) === 0
}

function refused(why: string): EtcdError {
  return new EtcdError(status.FAILED_PRECONDITION, `etcdserver: ${why}`)
}
