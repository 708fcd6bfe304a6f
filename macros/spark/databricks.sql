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
