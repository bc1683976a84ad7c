package fleetservice

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// observeMigration tells how far the migration for the revision on trial is, or for the desired one before it is on
// trial. Only a new image can bring migrations.
func (r *Reconciler) observeMigration(ctx context.Context, s *scope) error {
	var err error
	s.observation.Migration, err = r.migration(ctx, s)
	return err
}

func (r *Reconciler) migration(ctx context.Context, s *scope) (plan.Migration, error) {
	trial := s.observation.State.Canary
	if trial.Hash == "" {
		trial = s.observation.Desired
	}
	if s.fs.Spec.Migrations == nil || trial.Hash == "" || s.observation.State.Stable.Image == trial.Image {
		return plan.Migration{}, nil
	}
	job := s.jobs[trial.Hash]
	if job == nil {
		return plan.Migration{Phase: plan.MigrationMissing, Message: "the Job is about to start"}, nil
	}
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return plan.Migration{Phase: plan.MigrationDone}, nil
		case batchv1.JobFailed:
			words, err := r.lastWords(ctx, job, render.MigrationPods(s.fs.Name))
			return plan.Migration{Phase: plan.MigrationFailed, Message: fmt.Sprintf("migration Job %s failed: %s. Nothing was switched; the image's migrations must be mended", job.Name, words)}, err
		}
	}
	return r.observeMigrationPods(ctx, s, job)
}

// observeMigrationPods tells how a running migration does. A pod that can never start is a failure at once: the Job
// would wait for it for ever.
func (r *Reconciler) observeMigrationPods(ctx context.Context, s *scope, job *batchv1.Job) (plan.Migration, error) {
	pods, err := r.jobPods(ctx, job, render.MigrationPods(s.fs.Name))
	if err != nil {
		return plan.Migration{}, err
	}
	m := plan.Migration{Phase: plan.MigrationRunning, Message: fmt.Sprintf("Job %s runs since %s UTC; see kubectl logs -n %s job/%s",
		job.Name, job.CreationTimestamp.UTC().Format(time.TimeOnly), job.Namespace, job.Name)}
	for _, f := range signals.Pods(pods, s.observation.Now) {
		m.Message = fmt.Sprintf("Job %s: %s", job.Name, f.Message)
		if f.Final && f.Blame == signals.Release {
			m.Phase = plan.MigrationFailed
			break
		}
	}
	return m, nil
}

// lastWords are the last log lines of a failed Job's pod; its container keeps them in its status.
func (r *Reconciler) lastWords(ctx context.Context, job *batchv1.Job, selector map[string]string) (string, error) {
	pods, err := r.jobPods(ctx, job, selector)
	if err != nil {
		return "", err
	}
	for i := range pods {
		for _, c := range pods[i].Status.ContainerStatuses {
			if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
				return signals.LastLine(t.Message), nil
			}
		}
	}
	return "see kubectl logs job/" + job.Name, nil
}

// jobPods are a Job's pods, of those that have the labels.
func (r *Reconciler) jobPods(ctx context.Context, job *batchv1.Job, selector map[string]string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(job.Namespace), client.MatchingLabels(selector)); err != nil {
		return nil, fmt.Errorf("list pods of Job %s: %w", job.Name, err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return !metav1.IsControlledBy(&p, job) }), nil
}
