//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestTLS: an application with TLS and a live flag comes up, answers by it, takes no caller without a certificate where it wants one, and
// goes on answering while its certificates and its authority change.
func TestTLS(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "secured")
	f.applyApp(sample(t, func(app *v1alpha1.MovieApp) {
		app.Spec.TLS = &v1alpha1.AppTLS{}
		app.Spec.FeatureFlags = map[string]v1alpha1.FeatureFlag{"recommendations": {Value: false}}
	}))
	f.ready("movies", 3*time.Minute)
	metadata, movie := f.front("movies-metadata", 8081), f.front("movies-movie", 8183)
	f.put("movies-metadata", 8181, "/v1/metadata/alien", `{"title": "Alien", "director": "Ridley Scott", "year": 1979}`)
	f.put("movies-rating", 8182, "/v1/ratings/movie/alien", `{"user_id": "ann", "value": 5}`)
	if why, stale := f.answers(movie); why != "" || stale {
		t.Fatalf("the first answer is stale (%t), or wrong: %s", stale, why)
	}
	f.refusesStrangers(metadata)
	f.turnsFlagOn()

	certificate := f.leaf("movies-movie")
	stop := f.keepAsking(movie)
	f.patchApp(`{"tls":{"certificateLifetime":"24h"}}`)
	f.eventually(2*time.Minute, "pods of movie have the new certificate", func() (bool, string) {
		got, err := shown(movie)
		if err != nil {
			return false, err.Error()
		}
		return !got.Equal(certificate), got.NotAfter.String()
	})
	authority := f.leaf("movies-movie").Issuer.CommonName
	f.kubectl("delete", "secret", "movies-ca")
	f.eventually(5*time.Minute, "every pod trusts the next authority, and it signs", func() (bool, string) {
		c := condition(f.app("movies").Status.Conditions, v1alpha1.ConditionCertificatesReady)
		done := c.Reason == v1alpha1.ReasonCertificatesIssued && f.leaf("movies-movie").Issuer.CommonName != authority
		return done, c.Reason + ": " + c.Message
	})
	f.eventually(2*time.Minute, "pods of movie have a certificate of the next authority", func() (bool, string) {
		got, err := shown(movie)
		if err != nil {
			return false, err.Error()
		}
		return got.Issuer.CommonName != authority, got.Issuer.CommonName
	})
	// A busy machine makes a call late now and then; services that do not trust each other would make nearly all stale.
	if r := stop(); len(r.failed) > 0 || r.all < 20 || r.stale*50 > r.all {
		t.Errorf("while certificates and authority changed, %d of %d requests failed and %d were stale, want none of many, and one in fifty: %v", len(r.failed), r.all, r.stale, r.failed)
	}
	f.refusesStrangers(metadata)
	f.noRestarts()
	c := condition(f.app("movies").Status.Conditions, v1alpha1.ConditionCertificatesReady)
	if c.Status != metav1.ConditionTrue {
		t.Errorf("CertificatesReady = %s %s: %s, want True", c.Status, c.Reason, c.Message)
	}
}

// turnsFlagOn: a live flag reaches the pods that are there, and no others are made for it.
func (f *fleet) turnsFlagOn() {
	f.t.Helper()
	before := f.kubectl("get", "deployments", "-o", "name")
	f.patchApp(`{"featureFlags":{"recommendations":{"value":true}}}`)
	f.eventually(3*time.Minute, "recommendations are on in both pods of movie", func() (bool, string) {
		var shown []string
		for line := range strings.Lines(f.pages("movies-movie", 8093, "/metrics")) {
			if strings.HasPrefix(line, `feature_flag_on{flag="recommendations"`) {
				shown = append(shown, strings.TrimSpace(line))
			}
		}
		on := len(shown) == 2 && strings.HasSuffix(shown[0], " 1") && strings.HasSuffix(shown[1], " 1")
		return on, strings.Join(shown, "; ")
	})
	if after := f.kubectl("get", "deployments", "-o", "name"); after != before {
		f.t.Errorf("Deployments are %s after a live flag changed, want those of before: %s", after, before)
	}
}

func (f *fleet) patchApp(spec string) {
	f.t.Helper()
	f.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":`+spec+`}`)
}

// put puts over REST. Who answers is not checked: the addresses are this machine's.
func (f *fleet) put(service string, port int, path, body string) {
	f.t.Helper()
	code := must(f.t, "curl", "-ksS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "https://"+f.front(service, port)+path, "-d", body)
	if code != "200" {
		f.t.Fatalf("PUT %s = %s, want 200", path, code)
	}
}

// answers is why details of a movie are not there, empty if they are; and whether they are of last known values, as movie
// answers when metadata or rating do not in time.
func (f *fleet) answers(movie string) (why string, stale bool) {
	out, err := run("curl", "-ksS", "--max-time", "5", "https://"+movie+"/v1/movies/alien")
	flat := strings.ReplaceAll(out, " ", "")
	if err != nil || !strings.Contains(flat, `"title":"Alien"`) || !strings.Contains(flat, `"count"`) {
		return fmt.Sprintf("GET /v1/movies/alien = %s, %v; want the movie Alien with its rating", out, err), false
	}
	return "", strings.Contains(flat, `"stale":true`)
}

// asked is what became of requests.
type asked struct {
	all, stale int
	failed     []string
}

// keepAsking asks for details again and again until it is told to stop.
func (f *fleet) keepAsking(movie string) (stop func() asked) {
	ctx, cancel := context.WithCancel(context.Background())
	f.t.Cleanup(cancel)
	done := make(chan asked, 1)
	go func() {
		var r asked
		for ctx.Err() == nil {
			r.all++
			why, stale := f.answers(movie)
			if why != "" {
				r.failed = append(r.failed, time.Now().Format(time.TimeOnly)+" "+why)
			}
			if stale {
				r.stale++
			}
			time.Sleep(100 * time.Millisecond)
		}
		done <- r
	}()
	return func() asked {
		cancel()
		return <-done
	}
}

// leaf is the certificate in a service's Secret.
func (f *fleet) leaf(service string) *x509.Certificate {
	f.t.Helper()
	block, _ := pem.Decode([]byte(f.binding(service+"-tls", `tls\.crt`)))
	if block == nil {
		f.t.Fatalf("Secret %s-tls holds no certificate", service)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// shown is the certificate that a pod behind an address shows.
func shown(address string) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// refusesStrangers: a gRPC port that wants certificates ends the connection of a caller that has none, and not that of one
// who shows movie's.
func (f *fleet) refusesStrangers(address string) {
	f.t.Helper()
	movie, err := tls.X509KeyPair([]byte(f.binding("movies-movie-tls", `tls\.crt`)), []byte(f.binding("movies-movie-tls", `tls\.key`)))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.knockAt(address, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		f.t.Errorf("a connection to metadata without a certificate = %v, want it ended for lack of one", err)
	}
	if err := f.knockAt(address, []tls.Certificate{movie}); err != nil {
		f.t.Errorf("a connection to metadata with movie's certificate = %v, want it taken", err)
	}
}

// knockAt opens a connection of gRPC and waits for the server's first word, which comes after it has looked at the caller.
func (f *fleet) knockAt(address string, certificates []tls.Certificate) error {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: certificates})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 9))
	return err
}
