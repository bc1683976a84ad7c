package parts

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"movieexample.com/fleet/test/ports"
)

// Redis is a real server of its own on a loopback port that stays the same over a restart, which empties it. Its user
// fleet has the password that Password last set. The kernel ends it with the test process, however that ends.
type Redis struct {
	Port int

	program  string
	dir      string
	password string
	process  *exec.Cmd
}

// StartRedis makes a new, empty server, waits until it answers, and removes it when the test ends.
func StartRedis(tb testing.TB) *Redis {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatal("redis-server is not installed: apt-get install redis-server (Debian)")
	}
	r := &Redis{Port: ports.Free(tb), program: program, dir: tb.TempDir(), password: "secret"}
	tb.Cleanup(func() { r.Stop(tb) })
	r.Start(tb)
	return r
}

// Start starts the server, or starts it again, and empty, after Stop.
func (r *Redis) Start(tb testing.TB) {
	tb.Helper()
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	r.process = exec.Command(r.program, "--bind", "127.0.0.1", "--port", strconv.Itoa(r.Port), "--dir", r.dir,
		"--save", "", "--appendonly", "no", "--maxmemory", "64mb", "--requirepass", "admin",
		"--user", "fleet", "on", ">"+r.password, "~*", "+@all")
	r.process.Dir = r.dir
	r.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir}
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.process.Start(); err != nil {
		tb.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.address())
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
			tb.Fatalf("redis-server does not answer: %v; its log:\n%s", err, text)
		}
	}
}

// Stop kills the server, as the loss of its machine would, and waits for it.
func (r *Redis) Stop(tb testing.TB) {
	tb.Helper()
	if r.process == nil {
		return
	}
	if err := r.process.Process.Kill(); err != nil {
		tb.Errorf("killing Redis: %v", err)
	}
	_ = r.process.Wait() // it was killed
	r.process = nil
}

// Pause makes the server hang: connections stay, nothing is answered.
func (r *Redis) Pause(tb testing.TB) { r.signal(tb, syscall.SIGSTOP) }

// Resume ends a pause.
func (r *Redis) Resume(tb testing.TB) { r.signal(tb, syscall.SIGCONT) }

func (r *Redis) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := r.process.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}

// Password changes the password of the user fleet and ends its connections.
func (r *Redis) Password(tb testing.TB, password string) {
	tb.Helper()
	r.password = password
	admin := r.Admin(tb)
	for _, command := range [][]any{{"ACL", "SETUSER", "fleet", "resetpass", ">" + password}, {"CLIENT", "KILL", "USER", "fleet"}} {
		if err := admin.Do(context.Background(), command...).Err(); err != nil {
			tb.Fatalf("%v: %v", command, err)
		}
	}
}

func (r *Redis) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)) }

// Admin is a client of the server's administrator. It waits for a server that is slow, so that a busy machine changes nothing.
func (r *Redis) Admin(tb testing.TB) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: r.address(), Password: "admin", MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute, PoolTimeout: time.Minute,
	})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Binding is the directory of a binding to the server.
func (r *Redis) Binding(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "redis")
	r.WriteBinding(tb, dir)
	return dir
}

// WriteBinding writes the binding.
func (r *Redis) WriteBinding(tb testing.TB, dir string) {
	tb.Helper()
	WriteBinding(tb, dir, map[string]string{
		"type": "redis", "host": "127.0.0.1", "port": strconv.Itoa(r.Port), "username": "fleet", "password": r.password,
	})
}
