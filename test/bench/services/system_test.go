//go:build bench

package services_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

const identityOf = "spiffe://fleet.test/ns/bench/sa/"

// system is movie, or what stands for it, with what it depends on.
type system struct {
	name   string
	client moviev1.MovieServiceClient
	pids   []int
}

// bindings makes a directory of certificates for each name, all of one authority.
func bindings(tb testing.TB, names ...string) map[string]string {
	tb.Helper()
	authority, root, dirs := parts.NewAuthority(tb), tb.TempDir(), map[string]string{}
	for _, name := range names {
		dirs[name] = filepath.Join(root, name, "tls")
		keys := parts.TLSKeys(authority.Leaf(tb, identityOf+name), authority)
		keys["type"] = "tls"
		parts.MountBinding(tb, dirs[name], keys)
	}
	return dirs
}

// startFleet starts the real programs by mutual TLS behind movie, as in production; in memory if there is no server.
func startFleet(tb testing.TB, server *parts.MariaDB, traces tracing) system {
	tb.Helper()
	dirs := bindings(tb, "metadata", "rating", "movie", "test")
	common := "log: {level: warn}\ntls: {mode: %s, trustDomain: fleet.test}\n" + traces.settings()
	metadata, metadataPID := service(tb, "metadata", fmt.Sprintf(common, "mutual")+stored(tb, server, "metadata", dirs), dirs["metadata"])
	rating, ratingPID := service(tb, "rating", fmt.Sprintf(common, "mutual")+stored(tb, server, "rating", dirs), dirs["rating"])
	movie, moviePID := service(tb, "movie", fmt.Sprintf(common+"upstreams:\n  metadata: {target: 'static:///%s', identity: '%smetadata'}\n  rating: {target: 'static:///%s', identity: '%srating'}\n",
		"server", metadata, identityOf, rating, identityOf), dirs["movie"])

	put := connect(tb, metadata, dirs["test"])
	_, err := metadatav1.NewMetadataServiceClient(put).PutMetadata(wait(tb), &metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{
		Id: "123", Title: "The Movie 2", Description: "Sequel of the legendary The Movie", Director: "Foo Bars",
	}}, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatal(err)
	}
	_, err = ratingv1.NewRatingServiceClient(connect(tb, rating, dirs["test"])).PutRating(wait(tb),
		&ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "123", UserId: "105", Value: 5}, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatal(err)
	}
	s := system{"movie", moviev1.NewMovieServiceClient(connect(tb, movie, dirs["test"])), []int{metadataPID, ratingPID, moviePID}}
	s.ready(tb)
	return s
}

// stored gives a service a database of its own, and returns what its configuration says of it.
func stored(tb testing.TB, server *parts.MariaDB, name string, dirs map[string]string) string {
	tb.Helper()
	if server == nil {
		return ""
	}
	root := filepath.Dir(dirs[name])
	if err := os.Symlink(server.Database(tb), filepath.Join(root, "mysql")); err != nil {
		tb.Fatal(err)
	}
	migrate := exec.Command(filepath.Join(programs, name), "migrate")
	migrate.Env = []string{"SERVICE_BINDING_ROOT=" + root}
	if out, err := migrate.CombinedOutput(); err != nil {
		tb.Fatalf("%s migrate: %v\n%s", name, err, out)
	}
	return "storage: {kind: mysql}\n"
}

// startBare starts the same three processes with nothing but gRPC in them.
func startBare(tb testing.TB, role string, traces tracing) system {
	tb.Helper()
	dirs := bindings(tb, "metadata", "rating", "movie", "test")
	metadata, metadataPID := bare(tb, roleLeaf, dirs["metadata"], traces.env()...)
	rating, ratingPID := bare(tb, roleLeaf, dirs["rating"], traces.env()...)
	movie, moviePID := bare(tb, role, dirs["movie"], append(traces.env(), envUpstreams+"="+metadata+","+rating)...)
	s := system{role, moviev1.NewMovieServiceClient(connect(tb, movie, dirs["test"])), []int{metadataPID, ratingPID, moviePID}}
	s.ready(tb)
	return s
}

func service(tb testing.TB, name, config, tls string) (address string, pid int) {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	api := ports.Free(tb)
	pid = start(tb, filepath.Join(programs, name), []string{
		"FLEET_CONFIG=" + file, "SERVICE_BINDING_ROOT=" + filepath.Dir(tls), "FLEET_REVISION=bench",
	}, fmt.Sprintf("--api.port=%d", api), "--rest.port=0", "--admin.port=0", "--shutdown.propagation=0s")
	return loopback(api), pid
}

func bare(tb testing.TB, role, tls string, env ...string) (address string, pid int) {
	tb.Helper()
	address = ports.Address(tb)
	pid = start(tb, os.Args[0], append(env, envRole+"="+role, envListen+"="+address, envTLS+"="+tls))
	return address, pid
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func start(tb testing.TB, program string, env []string, args ...string) (pid int) {
	tb.Helper()
	cmd := exec.Command(program, args...)
	var log bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing to be tidy about
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("%s %s:\n%s", filepath.Base(program), strings.Join(args, " "), &log)
		}
	})
	return cmd.Process.Pid
}

// ticks is how the kernel counts processor time: so many a second.
const ticks = 100

// processor is the processor time that the system's processes have used.
func (s system) processor(tb testing.TB) time.Duration {
	tb.Helper()
	sum := 0
	for _, pid := range s.pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			tb.Fatal(err)
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, f := range fields[11:13] { // user and system
			n, err := strconv.Atoi(f)
			if err != nil {
				tb.Fatal(err)
			}
			sum += n
		}
	}
	return time.Duration(sum) * time.Second / ticks
}

func connect(tb testing.TB, address, tls string) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(clientCredentials(tls)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func wait(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

func (s system) call(ctx context.Context, opts ...grpc.CallOption) error {
	_, err := s.client.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: "123"}, opts...)
	return err
}

// ready waits until a hundred calls in a row went well: by then all connections are there.
func (s system) ready(tb testing.TB) {
	tb.Helper()
	ctx := wait(tb)
	for good := 0; good < 100; good++ {
		if err := s.call(ctx, grpc.WaitForReady(true)); err != nil {
			if ctx.Err() != nil {
				tb.Fatalf("%s: %v", s.name, err)
			}
			good = -1
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func pair(dir string) (tls.Certificate, *x509.CertPool) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		panic(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(text)
	return certificate, authorities
}

func serverCredentials(dir string) credentials.TransportCredentials {
	if dir == "" {
		return insecure.NewCredentials()
	}
	certificate, authorities := pair(dir)
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: authorities, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	})
}

func clientCredentials(dir string) credentials.TransportCredentials {
	if dir == "" {
		return insecure.NewCredentials()
	}
	certificate, authorities := pair(dir)
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authorities, MinVersion: tls.VersionTLS12})
}
