# shellcheck shell=bash
# The node's own cgroup: everything of the cluster is accounted in it, and removing it proves that
# nothing is left. $RUN/cgroups has a line "CONTROLLERS DIRECTORY" for each hierarchy.
#
# Version 1 has a hierarchy for each controller. Version 2 has one, where a group with controllers for
# its children must have no process of its own: the node's processes live in the child "node" and the
# kubelet makes "kubepods" beside it. Version 2 has not been tried on a real machine yet.

CGROUP_CONTROLLERS=(cpuset cpu io memory pids)

cgroup_version() {
  if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then echo 2; else echo 1; fi
}

cgroup_create() {
  : >"$RUN/cgroups"
  "cgroup_create_v$(cgroup_version)"
  [[ -s $RUN/cgroups ]] || die "no cgroup hierarchy is mounted in /sys/fs/cgroup"
}

cgroup_create_v1() {
  local controllers path mount dir
  while IFS=: read -r _ controllers path; do
    mount=/sys/fs/cgroup/${controllers#name=}
    [[ $controllers && -d $mount ]] || continue
    [[ -d $mount$path ]] || path=/ # the mount shows a container's part of the hierarchy only
    dir=$mount${path%/}/$CLUSTER
    mkdir -p "$dir" || die "cannot make the cgroup $dir: is /sys/fs/cgroup writable?"
    echo "$controllers $dir" >>"$RUN/cgroups"
    [[ ,$controllers, != *,cpuset,* ]] || cpuset_like_parent "$dir"
  done </proc/self/cgroup
}

# A new cpuset group has no processors and no memory: nothing can run in it before it has some.
cpuset_like_parent() {
  local file
  for file in cpuset.cpus cpuset.mems; do
    cat "$1/../$file" >"$1/$file"
  done
}

cgroup_create_v2() {
  local dir=/sys/fs/cgroup/$CLUSTER
  delegate_controllers /sys/fs/cgroup ||
    die "cannot hand cgroup controllers to a child of /sys/fs/cgroup: in a container, run with --privileged --cgroupns=host"
  mkdir -p "$dir/node"
  echo "v2 $dir" >>"$RUN/cgroups"
}

# delegate_controllers DIRECTORY gives the children of a version 2 group its controllers.
delegate_controllers() {
  local controller
  for controller in "${CGROUP_CONTROLLERS[@]}"; do
    ! grep -qw "$controller" "$1/cgroup.controllers" ||
      { echo "+$controller" >"$1/cgroup.subtree_control"; } 2>/dev/null || return 1
  done
}

# cgroup_join moves the current process into the node's cgroup.
cgroup_join() {
  local controllers dir
  while read -r controllers dir; do
    [[ $controllers != v2 ]] || dir=$dir/node
    echo "$BASHPID" >"$dir/cgroup.procs"
  done <"$RUN/cgroups"
}

# cgroup_remove waits for the last process to be gone.
cgroup_remove() {
  [[ -e $RUN/cgroups ]] || return 0
  wait_for 10 cgroup_rmdir || die "cgroups are left: $(cgroup_left | paste -sd' ')"
}

cgroup_rmdir() {
  local dir
  for dir in $(cgroup_left); do
    find "$dir" -depth -type d -exec rmdir {} +
  done
  [[ -z $(cgroup_left) ]]
}

cgroup_left() {
  local dir
  while read -r _ dir; do
    [[ ! -d $dir ]] || echo "$dir"
  done <"$RUN/cgroups"
}
