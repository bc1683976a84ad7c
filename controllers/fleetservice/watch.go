package fleetservice

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/evidence"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/signals/progress"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// saveEvery is how often evidence is written while nothing is decided. A restart loses none of it: what was not saved is
// read again from the counters as one look.
const saveEvery = 10 * time.Second

// book is the evidence of one rollout, as the process holds it.
type book struct {
	release  evidence.Release
	evidence *evidence.Book
	progress progress.Tracker  // of a consumer's pods
	readAt   time.Time         // of the last reading
	at       evidence.Position // of the last reading
	savedAt  time.Time
	dirty    bool
	findings count.Findings
	panel    *panel // whom to ask besides; nil before it is asked for
}

// watch reads the counters when it is time, and says what they prove.
func (r *Reconciler) watch(ctx context.Context, s *scope) error {
	if !plan.Watching(s.observation) {
		r.closeBook(s.fs)
		return nil
	}
	b, err := r.openBook(ctx, s)
	if err != nil {
		return err
	}
	s.book = b
	o := &s.observation
	standing := plan.Standing(*o)
	moved := b.at != positionOf(o.State) // what follows is compared with the first reading at a weight: the sooner the better
	if standing && (moved || o.Now.Sub(b.readAt) >= o.Policy.Interval*8/10) {
		if err := r.read(ctx, s, b); err != nil {
			return err
		}
	}
	s.judgement = b.evidence.Judge(r.question(s))
	s.findings = b.findings
	o.Evidence = evidenceOf(s.judgement)
	judgeProgress(s, b)
	s.measureEvidence()
	r.ask(s, b)
	return nil
}

// question is what the planner wants to know next.
func (r *Reconciler) question(s *scope) evidence.Question {
	o := s.observation
	q := evidence.Question{Early: plan.Early(o), Now: o.Now, MaxStep: o.Policy.MaxStep}
	if o.State.Canary.Hash != "" {
		q.Next = plan.Asked(o)
	}
	return q
}

// trial is the revision that is judged, and the one that it is compared with.
func trial(state plan.State) (judged plan.Part, control string) {
	if state.Canary.Hash != "" {
		return state.Canary, state.Stable.Hash
	}
	return state.Stable, state.Previous.Hash
}

// openBook finds the evidence of this rollout: in memory, else as it was saved, else a new one.
func (r *Reconciler) openBook(ctx context.Context, s *scope) (*book, error) {
	release := releaseOf(s)
	b := r.memory.book(s.fs.UID)
	if b != nil && b.release.Same(release) {
		return b, nil
	}
	saved := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: s.fs.Namespace, Name: render.EvidenceName(s.fs.Name)}
	if err := r.client.Get(ctx, key, saved); err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get ConfigMap %s: %w", key.Name, err)
	}
	b = &book{release: release, savedAt: s.observation.Now}
	var err error
	if raw := saved.Data[render.EvidenceFile]; raw != "" {
		if b.evidence, err = evidence.Load(release, []byte(raw)); err == nil {
			r.memory.setBook(s.fs.UID, b)
			return b, nil
		}
	}
	if b.evidence, err = evidence.New(release); err != nil {
		return nil, fmt.Errorf("begin the evidence of revision %s: %w", release.Canary, err)
	}
	r.memory.setBook(s.fs.UID, b)
	return b, nil
}

// closeBook forgets what was remembered for a rollout that is over. What it showed stands in status, or in the ledger.
func (r *Reconciler) closeBook(fs *v1alpha1.FleetService) {
	name := client.ObjectKeyFromObject(fs)
	r.memory.setBook(fs.UID, nil)
	r.desk.Forget(name.String())
	forgetEvidence(name)
}

// releaseOf names what evidence is about. It stays the same from the canary's begin to the end of its bake.
func releaseOf(s *scope) evidence.Release {
	judged, control := trial(s.observation.State)
	return evidence.Release{
		Canary: judged.Hash, Stable: control, Began: judged.Trial,
		Params: paramsOf(s.fs, s.observation.Policy, plan.Alone(s.observation)), Uneven: s.fs.Spec.Consumer != nil,
		Along: s.observation.State.ReadsAlong(),
	}
}

// read takes a reading of all counters into the book.
func (r *Reconciler) read(ctx context.Context, s *scope, b *book) error {
	callers, names, err := r.callers(ctx, s)
	if err != nil {
		return err
	}
	state := s.observation.State
	judged, control := trial(state)
	meaning := count.NewMeaning(s.fs.Spec.Signals, s.fs.Spec.Objectives)
	if s.fs.Spec.Consumer != nil {
		meaning = meaning.OfConsumer()
	}
	reading, findings := r.reader.Read(ctx, count.Request{
		Pods: podTargets(s.pods, judged.Hash, control), Canary: judged.Hash, Stable: control,
		Callers: callers, Upstreams: names,
		Meaning: meaning,
	})
	at := positionOf(state)
	b.evidence.Add(reading, at)
	b.progress.Add(reading)
	b.readAt, b.at, b.dirty, b.findings = r.clock.Now(), at, true, findings
	return nil
}

// judgeProgress says whether a consumer's canary reads on.
func judgeProgress(s *scope, b *book) {
	o := &s.observation
	if o.State.Canary.Hash == "" || s.fs.Spec.Consumer == nil {
		return
	}
	j := b.progress.Judge(o.State.Canary.Hash, o.State.Stable.Hash, plan.Alone(*o), o.Policy.MaxStep)
	o.Evidence.Stuck, o.Evidence.Waiting = j.Stuck, j.Waiting
}

// canaryShare is the share of requests, in percent, that the judged revision has.
func canaryShare(state plan.State) int32 {
	judged, _ := trial(state)
	if state.Traffic.Main == judged.Hash {
		return 100 - state.Traffic.Percent
	}
	return state.Traffic.Percent
}

// positionOf is where requests were verified to go, as evidence counts it: there, all of them are the share of a revision
// that was promoted. A canary has them where it took a consumer's only partition. One that reads along has as many as stable.
func positionOf(state plan.State) evidence.Position {
	if state.ReadsAlong() {
		return evidence.Position{Percent: 50, Since: state.Shadow.Since}
	}
	p := evidence.Position{Percent: canaryShare(state), Since: state.Traffic.Since}
	if state.Canary.Hash != "" {
		p.Percent = min(p.Percent, 99)
	}
	return p
}

// podTargets are the running pods of two revisions, with the address of their page.
func podTargets(pods []corev1.Pod, revisions ...string) []count.PodTarget {
	var list []count.PodTarget
	for i := range pods {
		p := &pods[i]
		address, began := adminAddress(p)
		hash := p.Labels[v1alpha1.LabelRevision]
		if address == "" || (hash != revisions[0] && hash != revisions[1]) || p.DeletionTimestamp != nil {
			continue
		}
		list = append(list, count.PodTarget{UID: string(p.UID), Name: p.Name, Revision: hash, Began: began, Address: address})
	}
	return list
}

// adminAddress is where a pod shows its metrics, and since when; empty while its container does not run.
func adminAddress(p *corev1.Pod) (string, time.Time) {
	began := time.Time{}
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == render.ContainerName && c.State.Running != nil {
			began = c.State.Running.StartedAt.Time
		}
	}
	if began.IsZero() || p.Status.PodIP == "" {
		return "", began
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if c.Name == render.ContainerName && port.Name == "admin" {
				return net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(port.ContainerPort))), began
			}
		}
	}
	return "", began
}

// callers are the pods of services in the namespace that call this one, and the names that they know it by.
func (r *Reconciler) callers(ctx context.Context, s *scope) ([]count.CallerTarget, []string, error) {
	var services v1alpha1.FleetServiceList
	if err := r.client.List(ctx, &services, client.InNamespace(s.fs.Namespace)); err != nil {
		return nil, nil, fmt.Errorf("list FleetServices: %w", err)
	}
	var targets []count.CallerTarget
	var names []string
	for i := range services.Items {
		caller := &services.Items[i]
		known := upstreamNames(caller, s.fs)
		if len(known) == 0 {
			continue
		}
		names = append(names, known...)
		var pods corev1.PodList
		if err := r.client.List(ctx, &pods, client.InNamespace(s.fs.Namespace), client.MatchingLabels(render.PodSelector(caller.Name))); err != nil {
			return nil, nil, fmt.Errorf("list pods: %w", err)
		}
		for j := range pods.Items {
			p := &pods.Items[j]
			if address, _ := adminAddress(p); address != "" && p.DeletionTimestamp == nil {
				targets = append(targets, count.CallerTarget{UID: string(p.UID), Name: p.Name, Address: address})
			}
		}
	}
	return targets, names, nil
}

// upstreamNames are the names under which a service's config lists another one as an upstream.
func upstreamNames(caller, of *v1alpha1.FleetService) []string {
	if caller.Spec.Config == nil {
		return nil
	}
	var config struct {
		Upstreams map[string]struct {
			Target string `json:"target"`
		} `json:"upstreams"`
	}
	if json.Unmarshal(caller.Spec.Config.Raw, &config) != nil {
		return nil
	}
	var names []string
	for name, upstream := range config.Upstreams {
		object := fmt.Sprintf("dns:///%s.%s.svc", of.Name, of.Namespace)
		if upstream.Target == "consul:///"+revision.ConsulName(of) || strings.HasPrefix(upstream.Target, object+":") || strings.HasPrefix(upstream.Target, object+".") {
			names = append(names, name)
		}
	}
	return names
}

// evidenceOf is what the planner hears of a judgement.
func evidenceOf(j evidence.Judgement) plan.Evidence {
	e := plan.Evidence{
		Message: j.Message, Requests: j.Requests, Starved: j.Starved, Suspicion: j.Suspicion, Clear: j.Clear,
		Reason: conditionReason(j),
	}
	switch j.Action {
	case verdict.Rollback:
		e.Verdict = plan.Worse
	case verdict.Promote:
		e.Verdict = plan.Harmless
	}
	return e
}

// conditionReason is a judgement's reason as conditions name it; empty where nothing stands in the way.
func conditionReason(j evidence.Judgement) string {
	return map[verdict.Reason]string{
		verdict.Worse: v1alpha1.ReasonWorse, verdict.OnePod: v1alpha1.ReasonOnePod, verdict.OnePart: v1alpha1.ReasonOnePartition,
		verdict.Suspicious: v1alpha1.ReasonSuspicious, verdict.Blind: v1alpha1.ReasonBlind,
	}[j.Reason]
}

// save writes the evidence: before each decision, and now and then. Another operator's write is a conflict, after which
// everything is looked at anew.
func (r *Reconciler) save(ctx context.Context, s *scope) error {
	b := s.book
	if b == nil || !b.dirty {
		return nil
	}
	raw, err := b.evidence.Save()
	if err != nil {
		return fmt.Errorf("encode the evidence: %w", err)
	}
	if _, err := r.applier.Apply(ctx, render.Evidence(s.fs, string(raw))); err != nil {
		return fmt.Errorf("save the evidence: %w", err)
	}
	b.savedAt, b.dirty = r.clock.Now(), false
	return nil
}

// saveNowAndThen bounds what a restart would have to read again.
func (r *Reconciler) saveNowAndThen(ctx context.Context, s *scope) error {
	if s.book == nil || r.clock.Now().Sub(s.book.savedAt) < saveEvery {
		return nil
	}
	return r.save(ctx, s)
}
