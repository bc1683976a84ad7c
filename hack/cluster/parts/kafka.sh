# shellcheck shell=bash
# Apache Kafka, one broker that is its own controller. Each service has a user, by SCRAM, who may do what an ACL says;
# topics are made here, not by using them.

KAFKA_JAVA=(-Dlog4j2.configurationFile=/run/kafka-log.properties -cp '/run/kafka/*')

kafka_address() { echo "$NODE_IP:9092"; }

# kafka_users: the services, and who sends files of rating events.
kafka_users() { echo "$FLEET_SERVICES ratingproducer"; }

kafka_up() {
  own_directory /var/lib/kafka
  kafka_jars
  kafka_properties | kafka_file kafka.properties
  kafka_login | kafka_file kafka-admin.properties
  kafka_file kafka-log.properties <"$CLUSTER_HOME/modules/kafka/log4j2.properties"
  in_node test -e /var/lib/kafka/data/meta.properties || kafka_format
  node_start kafka "${AS_NOBODY[@]}" java -Xmx512m -XX:+UseSerialGC "${KAFKA_JAVA[@]}" kafka.Kafka /run/kafka.properties
}

# kafka_jars shows the jars at a place that an unprivileged user reaches: the cache may be in root's home.
kafka_jars() {
  in_node mountpoint -q /run/kafka || { in_node mkdir -p /run/kafka && in_node mount --bind -o ro "$(cached kafka)" /run/kafka; }
}

kafka_file() { in_node install -m 0400 -o nobody -g nogroup /dev/stdin "/run/$1"; }

# The controller's listener is for the broker itself, and ANONYMOUS is who comes in by it.
kafka_properties() {
  cat <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:9093
listeners=CLIENTS://$NODE_IP:9092,CONTROLLER://127.0.0.1:9093
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.$(kafka_jaas)
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
log.dirs=/var/lib/kafka/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
EOF
}

kafka_login() { printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n%s\n' "$(kafka_jaas)"; }

kafka_jaas() {
  printf 'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="%s";' \
    "$(credential kafka-admin)"
}

# kafka_format writes the first data, and the users with them: there is nobody yet who could log in and make some.
kafka_format() {
  local name users=()
  for name in admin $(kafka_users); do
    users+=(--add-scram "SCRAM-SHA-512=[name=$name,password=$(credential "kafka-$name")]")
  done
  in_node "${AS_NOBODY[@]}" java "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format --standalone \
    --cluster-id "$(kafka_id)" --config /run/kafka.properties "${users[@]}" >>"$LOGS/kafka.log" 2>&1 ||
    die "Kafka's first data could not be written, see $LOGS/kafka.log"
}

# kafka_id is a UUID in the alphabet of URLs, without a hyphen at its beginning, which would look like an option.
kafka_id() { credential kafka-id | head -c 22 | sed 's/.$/A/'; }

# kafka_ready is true once the administrator, who is a client like the others, is answered.
kafka_ready() { in_node bash -c "exec 3<>/dev/tcp/$NODE_IP/9092" && kafka_topics --list; }

# kafka_prepare makes the topics, and says who may do what with them, on the first start only. Each command is a Java of
# its own, which takes its time to start.
kafka_prepare() {
  in_node test ! -e /var/lib/kafka/prepared || return 0
  kafka_topic fleet.changes 6 7
  kafka_topic ratings 12 7
  kafka_topic ratings.dlq 3 30
  kafka_may Write fleet.changes metadata rating
  kafka_may Read fleet.changes movie
  kafka_may Read ratings rating
  kafka_may Write ratings.dlq rating
  kafka_may Write ratings ratingproducer
  kafka_acls --operation Read --group rating --allow-principal User:rating
  in_node touch /var/lib/kafka/prepared
}

# kafka_topic NAME PARTITIONS DAYS
kafka_topic() {
  kafka_topics --create --if-not-exists --topic "$1" --partitions "$2" --config retention.ms=$(($3 * 24 * 3600 * 1000)) \
    >>"$LOGS/kafka.log" 2>&1 || die "Kafka's topic $1 could not be made, see $LOGS/kafka.log"
}

# kafka_may OPERATION TOPIC USER...
kafka_may() {
  local user users=()
  for user in "${@:3}"; do users+=(--allow-principal "User:$user"); done
  kafka_acls --operation "$1" --operation Describe --topic "$2" "${users[@]}"
}

kafka_topics() { kafka_command org.apache.kafka.tools.TopicCommand "$@"; }

kafka_acls() {
  kafka_command org.apache.kafka.tools.AclCommand --add "$@" >>"$LOGS/kafka.log" 2>&1 ||
    die "Kafka's ACL could not be written ($*), see $LOGS/kafka.log"
}

# kafka_command CLASS ARGUMENT...: a program of Kafka's command line, as the administrator.
kafka_command() {
  in_node "${AS_NOBODY[@]}" java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${KAFKA_JAVA[@]}" \
    "$1" --bootstrap-server "$(kafka_address)" --command-config /run/kafka-admin.properties "${@:2}"
}
