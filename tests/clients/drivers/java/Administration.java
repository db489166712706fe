package ottla;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;

/** The operations of the Java admin client. */
final class Administration {
    private final Admin admin;

    Administration(String bootstrap) {
        admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap));
    }

    Map<String, Rpc.Operation> operations() {
        var operations = new HashMap<String, Rpc.Operation>();
        operations.put("create_topic", this::createTopic);
        operations.put("describe_cluster", this::describeCluster);
        operations.put("list_topics", a -> admin.listTopics().names().get());
        operations.put("describe_topic", this::describeTopic);
        operations.put("describe_configs", this::describeConfigs);
        operations.put("alter_config", this::alterConfig);
        operations.put("create_partitions", this::createPartitions);
        operations.put("list_groups", a -> admin.listGroups().all().get().stream().map(GroupListing::groupId).toList());
        operations.put("describe_group", this::describeGroup);
        operations.put("group_offsets", this::groupOffsets);
        operations.put("delete_records", this::deleteRecords);
        operations.put("delete_group_offsets", this::deleteGroupOffsets);
        operations.put("delete_group", a -> admin.deleteConsumerGroups(List.of(a.get("group").asText())).all().get());
        operations.put("delete_topic", a -> admin.deleteTopics(List.of(topic(a))).all().get());
        return operations;
    }

    private static String topic(JsonNode a) {
        return a.get("topic").asText();
    }

    private static TopicPartition partition(JsonNode a) {
        return new TopicPartition(topic(a), a.get("partition").asInt());
    }

    private Object createTopic(JsonNode a) throws InterruptedException, ExecutionException {
        var configs = new HashMap<String, String>();
        a.get("configs").properties().forEach(config -> configs.put(config.getKey(), config.getValue().asText()));
        var topic = new NewTopic(topic(a), Optional.of(a.get("partitions").asInt()), Optional.empty());
        return admin.createTopics(List.of(topic.configs(configs))).all().get();
    }

    private Object describeCluster(JsonNode a) throws InterruptedException, ExecutionException {
        var cluster = admin.describeCluster();
        var nodes = new ArrayList<List<Object>>();
        cluster.nodes().get().forEach(node -> nodes.add(List.of(node.id(), node.host(), node.port())));
        return Map.of("nodes", nodes, "controller", cluster.controller().get().id());
    }

    private Object describeTopic(JsonNode a) throws InterruptedException, ExecutionException {
        var topic = admin.describeTopics(List.of(topic(a))).allTopicNames().get().get(topic(a));
        return topic.partitions().stream().map(TopicPartitionInfo::partition).toList();
    }

    private static ConfigResource resource(JsonNode a) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic(a));
    }

    private Object describeConfigs(JsonNode a) throws InterruptedException, ExecutionException {
        var values = new HashMap<String, String>();
        admin.describeConfigs(List.of(resource(a))).all().get().get(resource(a)).entries()
            .forEach(entry -> values.put(entry.name(), entry.value()));
        return values;
    }

    private Object alterConfig(JsonNode a) throws InterruptedException, ExecutionException {
        var entry = new ConfigEntry(a.get("name").asText(), a.get("value").asText());
        var change = new AlterConfigOp(entry, AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource(a), List.of(change))).all().get();
        return Map.of("incremental", true);
    }

    private Object createPartitions(JsonNode a) throws InterruptedException, ExecutionException {
        return admin.createPartitions(Map.of(topic(a), NewPartitions.increaseTo(a.get("count").asInt()))).all().get();
    }

    private Object describeGroup(JsonNode a) throws InterruptedException, ExecutionException {
        var name = a.get("group").asText();
        var group = admin.describeConsumerGroups(List.of(name)).all().get().get(name);
        return Map.of("state", group.groupState().toString(), "members", group.members().size());
    }

    private Object groupOffsets(JsonNode a) throws InterruptedException, ExecutionException {
        var offsets = admin.listConsumerGroupOffsets(a.get("group").asText()).partitionsToOffsetAndMetadata().get();
        return offsets.entrySet().stream()
            .filter(entry -> entry.getKey().topic().equals(topic(a)))
            .map(entry -> List.of(entry.getKey().partition(), entry.getValue().offset()))
            .sorted((one, other) -> Long.compare(one.get(0).longValue(), other.get(0).longValue()))
            .toList();
    }

    private Object deleteRecords(JsonNode a) throws InterruptedException, ExecutionException {
        var before = RecordsToDelete.beforeOffset(a.get("offset").asLong());
        var deleted = admin.deleteRecords(Map.of(partition(a), before));
        return deleted.lowWatermarks().get(partition(a)).get().lowWatermark();
    }

    private Object deleteGroupOffsets(JsonNode a) throws InterruptedException, ExecutionException {
        return admin.deleteConsumerGroupOffsets(a.get("group").asText(), Set.of(partition(a))).all().get();
    }
}
