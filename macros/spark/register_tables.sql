{#-
  Tell the metastore of tables whose files lie in the lake and that it does not know: of a lake that came from elsewhere, or
  whose metastore is gone. Called by `strata register`, which sees the files; `tables` is a list of
  `{schema, name, folder}`.
-#}
{% macro _register_tables(tables) %}
    {%- for table in tables -%}
        {%- set relation = api.Relation.create(schema=table.schema, identifier=table.name, type='table') -%}
        {%- if load_relation(relation) is none -%}
            {% do adapter.create_schema(relation) %}
            {% do run_query('create table ' ~ relation ~ ' using delta location ' ~ _text_literal(table.folder)) %}
            {{ log('Registered ' ~ relation ~ '.', info=True) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
