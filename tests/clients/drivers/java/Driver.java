package ottla;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** The Java client. */
final class Driver {
    private static final long NO_OFFSET = -1;
    private static final Map<String, Class<?>> ASSIGNORS =
        Map.of("range", RangeAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);

    private final String bootstrap;
    private final Map<String, Member> members = new HashMap<>();

    private Driver(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws IOException {
        var driver = new Driver(arguments[0]);
        var operations = new HashMap<>(new Administration(arguments[0]).operations());
        operations.put("produce", driver::produce);
        operations.put("fetch", driver::fetch);
        operations.put("offset_for_time", driver::offsetForTime);
        operations.put("consume", driver::consume);
        operations.put("join", driver::join);
        operations.put("state", a -> driver.members.get(a.get("member").asText()).takeState());
        operations.put("leave", driver::leave);
        Rpc.serve("kafka-clients " + AppInfoParser.getVersion(), operations);
        System.exit(0);
    }

    private Object produce(JsonNode a) throws InterruptedException, ExecutionException {
        Map<String, Object> settings = Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
            ProducerConfig.COMPRESSION_TYPE_CONFIG, a.get("codec").asText(),
            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, a.get("idempotent").asBoolean(),
            ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 4_000_000);
        var serializer = new ByteArraySerializer();
        try (var producer = new KafkaProducer<byte[], byte[]>(settings, serializer, serializer)) {
            var sent = new ArrayList<Future<RecordMetadata>>();
            for (var record : a.get("records")) {
                sent.add(producer.send(outgoing(a.get("topic").asText(), record)));
            }
            var places = new ArrayList<List<Number>>();
            for (var future : sent) {
                var place = future.get();
                places.add(List.of(place.partition(), place.offset()));
            }
            return places;
        }
    }

    private static ProducerRecord<byte[], byte[]> outgoing(String topic, JsonNode fields) {
        var partition = fields.get("partition");
        var timestamp = fields.get("timestamp");
        var record = new ProducerRecord<>(
            topic,
            partition.isNull() ? null : partition.asInt(),
            timestamp.isNull() ? null : timestamp.asLong(),
            Rpc.bytes(fields.get("key")),
            Rpc.bytes(fields.get("value")));
        fields.get("headers").forEach(pair -> record.headers().add(pair.get(0).asText(), Rpc.bytes(pair.get(1))));
        return record;
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        var settings = new HashMap<String, Object>(Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
            ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6000,
            ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 500,
            ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Polls so many records, or as many as come in time. */
    private static List<Map<String, Object>> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        var records = new ArrayList<Map<String, Object>>();
        var end = System.nanoTime() + Rpc.TAKE_TIME.toNanos();
        while (records.size() < count && System.nanoTime() < end) {
            consumer.poll(Duration.ofSeconds(1)).forEach(record -> records.add(Rpc.record(record)));
        }
        return records;
    }

    private Object fetch(JsonNode a) {
        try (var consumer = consumer(Map.of())) {
            var partition = new TopicPartition(a.get("topic").asText(), a.get("partition").asInt());
            consumer.assign(List.of(partition));
            consumer.seek(partition, a.get("offset").asLong());
            return take(consumer, a.get("count").asInt());
        }
    }

    private Object offsetForTime(JsonNode a) {
        try (var consumer = consumer(Map.of())) {
            var partition = new TopicPartition(a.get("topic").asText(), a.get("partition").asInt());
            var found = consumer.offsetsForTimes(Map.of(partition, a.get("timestamp").asLong())).get(partition);
            return found == null ? NO_OFFSET : found.offset();
        }
    }

    private Object consume(JsonNode a) {
        // one record at a time, so that the position that is committed is that after the last one wanted
        var settings = Map.<String, Object>of(
            ConsumerConfig.GROUP_ID_CONFIG, a.get("group").asText(), ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 1);
        try (var consumer = consumer(settings)) {
            consumer.subscribe(List.of(a.get("topic").asText()));
            var records = take(consumer, a.get("count").asInt());
            consumer.commitSync();
            return records;
        }
    }

    private Object join(JsonNode a) {
        var consumer = consumer(Map.of(
            ConsumerConfig.GROUP_ID_CONFIG, a.get("group").asText(),
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, true,
            ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, List.of(ASSIGNORS.get(a.get("assignor").asText()))));
        consumer.subscribe(List.of(a.get("topic").asText()));
        members.put(a.get("member").asText(), new Member(consumer));
        return null;
    }

    private Object leave(JsonNode a) throws InterruptedException {
        members.remove(a.get("member").asText()).leave();
        return null;
    }
}
