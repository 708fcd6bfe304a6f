{#-
  Databricks' adapter has materializations and macros of its own, which dbt takes before those that are for Spark: what this
  project has for Spark is handed to it here, by name. Models that use none of the project's strategies are the adapter's own.
-#}
{% materialization landed, adapter='databricks' %}
    {{ return(materialization_landed_spark()) }}
{% endmaterialization %}


{% materialization incremental, adapter='databricks' %}
    {%- if config.get('incremental_strategy') in ('replace_where', 'append_new') -%}
        {{ return(materialization_incremental_spark()) }}
    {%- endif -%}
    {{ return(dbt.materialization_incremental_databricks()) }}
{% endmaterialization %}


{% materialization snapshot, adapter='databricks' %}
    {%- set source = declared(model.name) -%}
    {%- if source is none or source.arrives != 'daily_snapshot' -%}
        {{ return(dbt.materialization_snapshot_databricks()) }}
    {%- endif -%}
    {{ return(materialization_snapshot_spark()) }}
{% endmaterialization %}


{% macro databricks__tblproperties_clause() -%}
    {{ spark__tblproperties_clause() }}
{%- endmacro %}


{% macro databricks__create_csv_table(model, agate_table) %}
    {{ return(spark__create_csv_table(model, agate_table)) }}
{% endmacro %}


{% macro databricks__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ return(spark__reset_csv_table(model, full_refresh, old_relation, agate_table)) }}
{% endmacro %}


{% macro databricks__load_csv_rows(model, agate_table) %}
    {{ return(spark__load_csv_rows(model, agate_table)) }}
{% endmacro %}


{#- A catalog's tables lie where it puts them, and not in the lake: their commits are asked for. -#}
{% macro databricks__newest_version(relation) %}
    {{ return(_told_history(relation, 1)[0]) }}
{% endmacro %}


{% macro databricks__commits_since(relation, mark) %}
    {%- set version = (mark or '').split(' of ')[0] -%}
    {%- set newest = _told_history(relation, 1)[0].version | int -%}
    {%- if not version or version | int > newest -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set count = newest - version | int -%}
    {%- set commits = _told_history(relation, count + 1) -%}
    {#- The version itself may have left the log; those after it may not. -#}
    {%- set same = commits | length <= count or commits[count].mark == mark -%}
    {{ return(commits[:count] if same and commits | length >= count and (count or same) else none) }}
{% endmacro %}


{#- The newest commits of a Delta table, with what macros ask of those of python/strata/delta_log.py, by `describe history`. -#}
{% macro _told_history(relation, limit) %}
    {%- set commits = [] -%}
    {%- set now = modules.datetime.datetime.now(modules.pytz.utc).replace(tzinfo=none) -%}
    {%- for row in run_query('describe history ' ~ relation ~ ' limit ' ~ limit) -%}
        {%- set moment = row['timestamp'].replace(tzinfo=none) -%}
        {%- set age = now - moment -%}
        {% do commits.append({
            'version': row['version'] | string,
            'mark': row['version'] ~ ' of ' ~ moment,
            'operation': row['operation'],
            'is_made_anew': row['operation'].startswith('CREATE') or row['operation'].startswith('REPLACE'),
            'is_old': age.days >= 6,
            'is_day_old': age.days >= 1,
        }) %}
    {%- endfor -%}
    {{ return(commits) }}
{% endmacro %}


{% macro databricks__note_versions() %}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'snapshot', 'seed')
            and node.config.materialized not in ('view', 'ephemeral') -%}
        {%- set relation = _built_relation(node.name) -%}
        {%- if relation is not none -%}
            {% do modules.strata.note_version(node.schema, node.alias, _newest_version(relation).version) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
