// `touchmark/agent`: the device side inside another program. A `DeviceAgent` keeps one identity in order; everything that it touches is a port.
export type { AgentState, HookEventName } from './agent/agent-state.ts'
export {
  type AgentEvent,
  type AgentIdentity,
  DeviceAgent,
  type DeviceAgentOptions,
  type EnrolRequest,
  type Tick,
} from './agent/device-agent.ts'
export { type EstAnswer, EstClient, type EstClientOptions, type EstIdentity } from './agent/est-client.ts'
export { fileStorage } from './agent/file-storage.ts'
export type { BootstrapEvidence } from './agent/home.ts'
export { type Hook, type HookEvent, programHook } from './agent/hook.ts'
export { httpsTransport } from './agent/https-transport.ts'
export { type HeldKey, type KeyPlace, type KeyPlacePorts, openKeyPlace } from './agent/key-place.ts'
export { MemoryStorage, memoryStorage, PowerCut } from './agent/memory-storage.ts'
export type { AgentStatus } from './agent/status.ts'
export type { AgentStorage } from './agent/storage.ts'
export type { TlsFacts, TlsIdentity, Transport, TransportAnswer, TransportRequest } from './agent/transport.ts'
export { TouchmarkError } from './core/errors.ts'
