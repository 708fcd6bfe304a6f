{#-
  On run start, tell the metastore of the project's tables whose files lie in the lake and that it does not know: of a lake that
  came from elsewhere, one whose metastore is gone, or a table whose run was killed between its first commit and its entry. Hive's
  metastore says too that a schema is not there when its database fails for a moment (Spark 4.1.1), and dbt would then make
  every table anew: `if not exists` leaves what is there, and dbt knows of it again. What is made is told by dbt's plugin, as it
  sweeps the lake.
-#}
{% macro register_tables() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry', 'snapshot', 'seed') -%}
        {%- for table in fromjson(env_var('STRATA_MADE_TABLES', '[]')) -%}
            {%- set relation = _table_named(table) -%}
            {%- if load_relation(relation) is none -%}
                {% do _register_table(relation, table.folder) %}
                {% do adapter.cache_added(relation) %}
                {% do exceptions.warn('The metastore did not know the table ' ~ relation ~ ', which lies in the lake: it knows it now.') %}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- Tell the metastore of a table whose files lie in a folder. -#}
{% macro _register_table(relation, folder) %}
    {% do adapter.create_schema(relation) %}
    {% do run_query('create table if not exists ' ~ relation ~ ' using delta location ' ~ _text_literal(folder)) %}
{% endmacro %}
