import { createProtoCodec, type ProtoCodec, type ProtoTable } from './protobuf.ts';

/**
 * The messages of CRI runtime.v1 that contract.ts needs, with the field numbers of the protocol
 * (k8s.io/cri-api, pkg/apis/runtime/v1/api.proto, v1.36). Field names are the contract's: where a message of the protocol only wraps a value
 * (Int64Value, ImageSpec, FilesystemIdentifier), the table sees through it with `@`. See protobuf.ts for the notation.
 */
const table: ProtoTable = {
  enums: {
    Protocol: ['TCP', 'UDP', 'SCTP'],
    MountPropagation: ['PRIVATE', 'HOST_TO_CONTAINER', 'BIDIRECTIONAL'],
    NamespaceMode: ['POD', 'CONTAINER', 'NODE', 'TARGET'],
    SupplementalGroupsPolicy: ['Merge', 'Strict'],
    ProfileType: ['RuntimeDefault', 'Unconfined', 'Localhost'],
    PodSandboxState: ['READY', 'NOTREADY'],
    ContainerState: ['CREATED', 'RUNNING', 'EXITED', 'UNKNOWN'],
    ContainerEventType: ['CREATED', 'STARTED', 'STOPPED', 'DELETED'],
    Signal: [
      ...'RUNTIME_DEFAULT SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL'.split(
        ' ',
      ),
      ...'SIGPROF SIGPWR SIGQUIT SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM'.split(
        ' ',
      ),
      ...'SIGWINCH SIGXCPU SIGXFSZ SIGRTMIN'.split(' '),
      ...Array.from({ length: 15 }, (_, i) => `SIGRTMINPLUS${i + 1}`),
      ...Array.from({ length: 14 }, (_, i) => `SIGRTMAXMINUS${14 - i}`),
      'SIGRTMAX',
    ],
  },
  messages: {
    Empty: '',
    VersionRequest: 'version=1',
    VersionResponse: 'version=1 runtimeName=2 runtimeVersion=3 runtimeApiVersion=4',
    StatusRequest: 'verbose=1:bool',
    StatusResponse: 'status=1:RuntimeStatus info=2:map runtimeHandlers=3:*RuntimeHandler features=4:RuntimeFeatures',
    RuntimeHandler: 'name=1 features=2:RuntimeHandlerFeatures',
    RuntimeHandlerFeatures: 'recursiveReadOnlyMounts=1:bool userNamespaces=2:bool',
    RuntimeFeatures: 'supplementalGroupsPolicy=1:bool userNamespacesHostNetwork=2:bool',
    RuntimeStatus: 'conditions=1:*RuntimeCondition',
    RuntimeCondition: 'type=1 status=2:bool reason=3 message=4',
    UpdateRuntimeConfigRequest: 'runtimeConfig=1:RuntimeConfig',
    RuntimeConfig: 'networkConfig=1:NetworkConfig',
    NetworkConfig: 'podCidr=1',

    DNSConfig: 'servers=1:*string searches=2:*string options=3:*string',
    PortMapping: 'protocol=1:Protocol containerPort=2:int32 hostPort=3:int32 hostIp=4',
    PodSandboxMetadata: 'name=1 uid=2 namespace=3 attempt=4:uint32',
    PodSandboxConfig:
      'metadata=1:PodSandboxMetadata hostname=2 logDirectory=3 dnsConfig=4:DNSConfig portMappings=5:*PortMapping labels=6:map annotations=7:map linux=8:LinuxPodSandboxConfig',
    LinuxPodSandboxConfig:
      'cgroupParent=1 securityContext=2:LinuxSandboxSecurityContext sysctls=3:map overhead=4:LinuxContainerResources resources=5:LinuxContainerResources',
    LinuxSandboxSecurityContext:
      'namespaceOptions=1:NamespaceOption selinuxOptions=2:SELinuxOption runAsUser=3:@int53 readonlyRootfs=4:bool supplementalGroups=5:*int53 privileged=6:bool runAsGroup=8:@int53 seccomp=9:SecurityProfile apparmor=10:SecurityProfile supplementalGroupsPolicy=11:SupplementalGroupsPolicy',
    IDMapping: 'hostId=1:uint32 containerId=2:uint32 length=3:uint32',
    UserNamespace: 'mode=1:NamespaceMode uids=2:*IDMapping gids=3:*IDMapping',
    NamespaceOption: 'network=1:NamespaceMode pid=2:NamespaceMode ipc=3:NamespaceMode targetId=4 usernsOptions=5:UserNamespace',
    SELinuxOption: 'user=1 role=2 type=3 level=4',
    SecurityProfile: 'profileType=1:ProfileType localhostRef=2',
    RunPodSandboxRequest: 'config=1:PodSandboxConfig runtimeHandler=2',
    PodSandboxIdRequest: 'podSandboxId=1 verbose=2:bool',
    PodSandboxIdResponse: 'podSandboxId=1',
    PodSandboxStatusResponse: 'status=1:PodSandboxStatus',
    PodSandboxStatus:
      'id=1 metadata=2:PodSandboxMetadata state=3:PodSandboxState createdAt=4:int64 network=5:PodSandboxNetworkStatus linux=6:LinuxPodSandboxStatus labels=7:map annotations=8:map runtimeHandler=9',
    PodSandboxNetworkStatus: 'ip=1 additionalIps=2:*@string',
    LinuxPodSandboxStatus: 'namespaces=1:Namespace',
    Namespace: 'options=2:NamespaceOption',
    ListPodSandboxRequest: 'filter=1:PodSandboxFilter',
    PodSandboxFilter: 'id=1 state=2:@PodSandboxState labelSelector=3:map',
    ListPodSandboxResponse: 'items=1:*PodSandbox',
    PodSandbox:
      'id=1 metadata=2:PodSandboxMetadata state=3:PodSandboxState createdAt=4:int64 labels=5:map annotations=6:map runtimeHandler=7',

    LinuxContainerResources:
      'cpuPeriod=1:int53 cpuQuota=2:int53 cpuShares=3:int53 memoryLimitInBytes=4:int53 oomScoreAdj=5:int53 cpusetCpus=6 cpusetMems=7 hugepageLimits=8:*HugepageLimit unified=9:map memorySwapLimitInBytes=10:int53',
    HugepageLimit: 'pageSize=1 limit=2:uint53',
    Mount:
      'containerPath=1 hostPath=2 readonly=3:bool selinuxRelabel=4:bool propagation=5:MountPropagation uidMappings=6:*IDMapping gidMappings=7:*IDMapping recursiveReadOnly=8:bool image=9:@string imageSubPath=10',
    KeyValue: 'key=1 value=2',
    Device: 'containerPath=1 hostPath=2 permissions=3',
    ContainerMetadata: 'name=1 attempt=2:uint32',
    ImageSpec: 'image=1 annotations=2:map userSpecifiedImage=18 runtimeHandler=19 imageRef=20',
    ContainerConfig:
      'metadata=1:ContainerMetadata image=2:ImageSpec command=3:*string args=4:*string workingDir=5 envs=6:*KeyValue mounts=7:*Mount devices=8:*Device labels=9:map annotations=10:map logPath=11 stdin=12:bool stdinOnce=13:bool tty=14:bool linux=15:LinuxContainerConfig cdiDevices=17:*@string stopSignal=18:Signal',
    LinuxContainerConfig: 'resources=1:LinuxContainerResources securityContext=2:LinuxContainerSecurityContext',
    Capability: 'add=1:*string drop=2:*string addAmbient=3:*string',
    LinuxContainerSecurityContext:
      'capabilities=1:Capability privileged=2:bool namespaceOptions=3:NamespaceOption selinuxOptions=4:SELinuxOption runAsUser=5:@int53 runAsUsername=6 readonlyRootfs=7:bool supplementalGroups=8:*int53 noNewPrivs=11:bool runAsGroup=12:@int53 maskedPaths=13:*string readonlyPaths=14:*string seccomp=15:SecurityProfile apparmor=16:SecurityProfile supplementalGroupsPolicy=17:SupplementalGroupsPolicy',
    CreateContainerRequest: 'podSandboxId=1 config=2:ContainerConfig sandboxConfig=3:PodSandboxConfig',
    ContainerIdRequest: 'containerId=1 verbose=2:bool',
    ContainerIdResponse: 'containerId=1',
    StopContainerRequest: 'containerId=1 timeout=2:int53',
    ListContainersRequest: 'filter=1:ContainerFilter',
    ContainerFilter: 'id=1 state=2:@ContainerState podSandboxId=3 labelSelector=4:map',
    ListContainersResponse: 'containers=1:*Container',
    Container:
      'id=1 podSandboxId=2 metadata=3:ContainerMetadata image=4:@string imageRef=5 state=6:ContainerState createdAt=7:int64 labels=8:map annotations=9:map imageId=10',
    ContainerStatusResponse: 'status=1:ContainerStatus',
    ContainerStatus:
      'id=1 metadata=2:ContainerMetadata state=3:ContainerState createdAt=4:int64 startedAt=5:int64 finishedAt=6:int64 exitCode=7:int32 image=8:@string imageRef=9 reason=10 message=11 labels=12:map annotations=13:map mounts=14:*Mount logPath=15 resources=16:ContainerResources imageId=17 user=18:ContainerUser stopSignal=19:Signal',
    ContainerResources: 'linux=1:LinuxContainerResources',
    ContainerUser: 'linux=1:LinuxContainerUser',
    LinuxContainerUser: 'uid=1:int53 gid=2:int53 supplementalGroups=3:*int53',
    UpdateContainerResourcesRequest: 'containerId=1 linux=2:LinuxContainerResources annotations=4:map',
    ExecSyncRequest: 'containerId=1 cmd=2:*string timeout=3:int53',
    ExecSyncResponse: 'stdout=1:bytes stderr=2:bytes exitCode=3:int32',
    ExecRequest: 'containerId=1 cmd=2:*string tty=3:bool stdin=4:bool stdout=5:bool stderr=6:bool',
    AttachRequest: 'containerId=1 stdin=2:bool tty=3:bool stdout=4:bool stderr=5:bool',
    PortForwardRequest: 'podSandboxId=1 ports=2:*int32',
    UrlResponse: 'url=1',
    ContainerEventResponse:
      'containerId=1 type=2:ContainerEventType createdAt=3:int64 podSandboxStatus=4:PodSandboxStatus containersStatuses=5:*ContainerStatus',

    ContainerStatsResponse: 'stats=1:ContainerStats',
    ListContainerStatsRequest: 'filter=1:ContainerStatsFilter',
    ContainerStatsFilter: 'id=1 podSandboxId=2 labelSelector=3:map',
    ListContainerStatsResponse: 'stats=1:*ContainerStats',
    ContainerStats:
      'attributes=1:ContainerAttributes cpu=2:CpuUsage memory=3:MemoryUsage writableLayer=4:FilesystemUsage swap=5:SwapUsage',
    ContainerAttributes: 'id=1 metadata=2:ContainerMetadata labels=3:map annotations=4:map',
    CpuUsage: 'timestamp=1:int64 usageCoreNanoSeconds=2:@uint64 usageNanoCores=3:@uint64',
    MemoryUsage:
      'timestamp=1:int64 workingSetBytes=2:@uint53 availableBytes=3:@uint53 usageBytes=4:@uint53 rssBytes=5:@uint53 pageFaults=6:@uint53 majorPageFaults=7:@uint53',
    SwapUsage: 'timestamp=1:int64 swapAvailableBytes=2:@uint53 swapUsageBytes=3:@uint53',
    FilesystemUsage: 'timestamp=1:int64 mountpoint=2:@string usedBytes=3:@uint53 inodesUsed=4:@uint53',
    ListPodSandboxStatsResponse: 'stats=1:*PodSandboxStats',
    PodSandboxStats: 'attributes=1:PodSandboxAttributes linux=2:LinuxPodSandboxStats',
    PodSandboxAttributes: 'id=1 metadata=2:PodSandboxMetadata labels=3:map annotations=4:map',
    LinuxPodSandboxStats: 'cpu=1:CpuUsage memory=2:MemoryUsage network=3:NetworkUsage process=4:ProcessUsage',
    NetworkUsage: 'timestamp=1:int64 defaultInterface=2:NetworkInterfaceUsage interfaces=3:*NetworkInterfaceUsage',
    NetworkInterfaceUsage: 'name=1 rxBytes=2:@uint64 rxErrors=3:@uint64 txBytes=4:@uint64 txErrors=5:@uint64',
    ProcessUsage: 'timestamp=1:int64 processCount=2:@uint53',

    ListImagesRequest: 'filter=1:@ImageSpec',
    ListImagesResponse: 'images=1:*Image',
    Image: 'id=1 repoTags=2:*string repoDigests=3:*string size=4:uint53 uid=5:@int53 username=6 spec=7:ImageSpec pinned=8:bool',
    ImageRequest: 'image=1:@string',
    ImageStatusResponse: 'image=1:Image',
    AuthConfig: 'username=1 password=2 auth=3 serverAddress=4 identityToken=5 registryToken=6',
    PullImageRequest: 'image=1:@string auth=2:AuthConfig sandboxConfig=3:PodSandboxConfig',
    PullImageResponse: 'imageRef=1',
    ImageFsInfoResponse: 'imageFilesystems=1:*FilesystemUsage containerFilesystems=2:*FilesystemUsage',
  },
};

/** The codec of CRI runtime.v1 in the contract's names. */
export function createCriCodec(): ProtoCodec {
  return createProtoCodec(table);
}

/** Every message of the table, for checking it. */
export const criMessageNames: readonly string[] = Object.keys(table.messages);
