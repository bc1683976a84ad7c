package parts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"movieexample.com/fleet/test/ports"
)

// KafkaEnv names the environment variable with the directory of Kafka's jars.
const KafkaEnv = "FLEET_KAFKA_JARS"

// Kafka is a real broker of its own (KRaft, one node) on loopback ports that stay the same over a restart. Clients log in
// by SCRAM-SHA-512, users may do what ACLs allow and nothing else, and topics are not made by using them. The kernel ends
// it with the test process, however that ends.
type Kafka struct {
	Port int

	controller int // port
	jars       string
	dir        string
	password   string // of admin, who may do everything
	names      atomic.Int64
	process    *exec.Cmd
	exited     chan error
	ports      ports.Held
}

// kafkaAdmin is the one user who is there from the start.
const kafkaAdmin = "admin"

// WithKafka starts a broker for the tests of a package and removes it afterwards. Call it from TestMain, as WithMariaDB.
func WithKafka(run func(*Kafka) int) int {
	broker, err := StartKafka()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Kafka for the tests:", err)
		return 1
	}
	defer broker.Close()
	return run(broker)
}

// StartKafka makes a new, empty broker and waits until it answers.
func StartKafka() (*Kafka, error) {
	jars, err := kafkaJars()
	if err != nil {
		return nil, err
	}
	k := &Kafka{jars: jars, password: secret()}
	if k.dir, err = os.MkdirTemp("", "fleet-kafka-"); err != nil {
		return nil, err
	}
	if err := k.prepare(); err != nil {
		k.Close()
		return nil, err
	}
	if err := k.Start(); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

func kafkaJars() (string, error) {
	jars := os.Getenv(KafkaEnv)
	found, err := filepath.Glob(filepath.Join(jars, "kafka_*.jar"))
	if jars == "" || err != nil || len(found) == 0 {
		return "", fmt.Errorf("$%s is %q, want the directory of Kafka's jars: `hack/cluster/cluster binaries kafka` copies them to "+
			"$FLEET_CACHE/bin", KafkaEnv, jars)
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("java is not installed: apt-get install openjdk-17-jre-headless (Debian): %w", err)
	}
	return jars, nil
}

func secret() string {
	text := make([]byte, 16)
	_, _ = rand.Read(text) // never fails
	return hex.EncodeToString(text)
}

// prepare writes the settings and formats the data directory.
func (k *Kafka) prepare() error {
	var err error
	if k.Port, err = k.ports.Take(); err != nil {
		return err
	}
	if k.controller, err = k.ports.Take(); err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(k.file("server.properties"), []byte(k.properties()), 0o600),
		os.WriteFile(k.file("log4j2.properties"), []byte(kafkaLog), 0o600),
	); err != nil {
		return err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)      // never fails
	id[0] = id[0]&0x7f | 0x40 // no leading hyphen, which would look like an option
	out, err := k.java("kafka.tools.StorageTool", "format", "--standalone", "--config", k.file("server.properties"),
		"--cluster-id", base64.RawURLEncoding.EncodeToString(id),
		"--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", kafkaAdmin, k.password)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("formatting Kafka's data: %w\n%s", err, out)
	}
	return nil
}

const kafkaLog = `status=error
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
`

// properties are the broker's settings. The controller's listener is for the broker itself.
func (k *Kafka) properties() string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:%[2]d
listeners=CLIENTS://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="%[3]s" password="%[4]s";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:%[3]s;User:ANONYMOUS
log.dirs=%[5]s
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=2000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=400
auto.create.topics.enable=false
`, k.Port, k.controller, kafkaAdmin, k.password, k.file("data"))
}

func (k *Kafka) file(name string) string { return filepath.Join(k.dir, name) }

// java runs a class of the jars; the options make it start fast and stay small.
func (k *Kafka) java(class string, args ...string) *exec.Cmd {
	cmd := exec.Command("java", append([]string{
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + k.file("log4j2.properties"),
		"-cp", filepath.Join(k.jars, "*"), class,
	}, args...)...)
	cmd.Dir = k.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.dir, "TMPDIR=" + k.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Start starts the broker, or starts it again after Stop or Kill, and waits until it answers. It does nothing while it runs.
func (k *Kafka) Start() error {
	if k.process != nil {
		return nil
	}
	log, err := os.OpenFile(k.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	process := k.java("kafka.Kafka", k.file("server.properties"))
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return err
	}
	k.process, k.exited = process, make(chan error, 1)
	go func(exited chan<- error) { exited <- process.Wait() }(k.exited) // Stop and Kill wait for it
	return k.waitUntilUp()
}

func (k *Kafka) waitUntilUp() error {
	client, err := k.client()
	if err != nil {
		return err
	}
	defer client.Close()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := kadm.NewClient(client).ListTopics(ctx)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case exit := <-k.exited:
			k.process = nil
			return errors.Join(fmt.Errorf("the broker ended; its log:\n%s", k.tail()), exit)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the broker does not answer: %w; its log:\n%s", err, k.tail())
		}
	}
}

func (k *Kafka) tail() string {
	text, err := os.ReadFile(k.file("log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// Stop ends the broker as an administrator would and waits for it. Data, users and ACLs stay.
func (k *Kafka) Stop() error { return k.end(syscall.SIGTERM) }

// Kill ends the broker as the loss of its machine would, and waits for it. What it had written stays.
func (k *Kafka) Kill() error { return k.end(syscall.SIGKILL) }

func (k *Kafka) end(signal syscall.Signal) error {
	if k.process == nil {
		return nil
	}
	defer func() { k.process = nil }()
	if err := k.process.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case <-k.exited:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the broker did not end in a minute and was killed"), k.process.Process.Kill(), <-k.exited)
	}
}

// Close ends the broker and removes its directory.
func (k *Kafka) Close() {
	defer k.ports.Close()
	if err := errors.Join(k.Kill(), os.RemoveAll(k.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "Cleaning up Kafka:", err)
	}
}

func (k *Kafka) address() string { return fmt.Sprintf("127.0.0.1:%d", k.Port) }

func (k *Kafka) client(options ...kgo.Opt) (*kgo.Client, error) {
	login := scram.Auth{User: kafkaAdmin, Pass: k.password}.AsSha512Mechanism()
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(k.address()), kgo.SASL(login), kgo.MetadataMinAge(50 * time.Millisecond),
	}, options...)...)
}

// Client is the administrator's; it is closed when the test ends.
func (k *Kafka) Client(tb testing.TB, options ...kgo.Opt) *kgo.Client {
	tb.Helper()
	client, err := k.client(options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

func (k *Kafka) admin(tb testing.TB) *kadm.Client {
	tb.Helper()
	return kadm.NewClient(k.Client(tb))
}

// Name is one that no other test has.
func (k *Kafka) Name(kind string) string { return fmt.Sprintf("%s-%d", kind, k.names.Add(1)) }

// Topic makes a topic, which goes with the broker, and waits until the broker leads all of its partitions.
func (k *Kafka) Topic(tb testing.TB, name string, partitions int32) {
	tb.Helper()
	admin := k.admin(tb)
	made, err := admin.CreateTopic(tb.Context(), partitions, 1, nil, name)
	if err != nil {
		tb.Fatalf("making topic %s: %v", name, err)
	}
	k.until(tb, "to lead topic "+name, func(ctx context.Context) (bool, error) {
		list, err := admin.ListTopics(ctx, name)
		led := list[name].ID == made.ID && len(list[name].Partitions) == int(partitions)
		for _, p := range list[name].Partitions {
			led = led && p.Err == nil && p.Leader >= 0
		}
		return led, errors.Join(err, list[name].Err)
	})
}

// until waits for the broker: the controller answers when it has noted a change, and the broker follows it a moment later.
func (k *Kafka) until(tb testing.TB, what string, done func(ctx context.Context) (bool, error)) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for {
		yes, err := done(ctx)
		if yes && err == nil {
			return
		}
		if ctx.Err() != nil {
			tb.Fatalf("the broker does not come %s: %v; its log:\n%s", what, err, k.tail())
		}
		time.Sleep(10 * time.Millisecond) // the broker gives no signal that could be waited for
	}
}
