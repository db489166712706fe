package ottla;

import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A consumer of the crash loop: {@code ottla.CrashConsumer BOOTSTRAP TOPIC GROUP}. */
final class CrashConsumer {
    private static final Duration COMMIT_TIME = Duration.ofSeconds(10);

    private CrashConsumer() {}

    public static void main(String[] arguments) throws IOException {
        Map<String, Object> settings = Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0],
            ConsumerConfig.GROUP_ID_CONFIG, arguments[2],
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
            ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, List.of(RangeAssignor.class),
            ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6000,
            ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 500,
            ConsumerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 500);
        var ended = Rpc.stdinEnded();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(arguments[1]));
            while (ended.getCount() > 0) {
                process(consumer, consumer.poll(Duration.ofMillis(200)));
            }
        }
    }

    private static void process(KafkaConsumer<String, String> consumer, ConsumerRecords<String, String> records)
            throws IOException {
        var positions = new HashMap<TopicPartition, OffsetAndMetadata>();
        for (var record : records) {
            Rpc.say(Map.of("processed", record.value(), "place", List.of(record.partition(), record.offset())));
            var partition = new TopicPartition(record.topic(), record.partition());
            positions.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        if (positions.isEmpty()) {
            return;
        }
        var pairs = positions.entrySet().stream()
            .map(position -> List.of(position.getKey().partition(), position.getValue().offset()))
            .toList();
        Rpc.say(Map.of("committing", pairs));
        try {
            consumer.commitSync(positions, COMMIT_TIME);
            Rpc.say(Map.of("committed", pairs));
        } catch (KafkaException error) {
            System.err.println("commit failed: " + error);
        }
    }
}
