{#-
  Make the Delta table of a node from a query, in one commit, with the node's configured and the given properties;
  whatever node runs at the moment. With `replace` it takes the place of the one that is there, history included.
-#}
{% macro _create_delta_table(node, relation, sql, properties={}, replace=false) %}
    {%- set all_properties = _retention_properties() -%}
    {% do all_properties.update(node.config.get('tblproperties') or {}) %}
    {% do all_properties.update(properties) %}
    {% do adapter.create_schema(relation) %}
    {% call statement('create_delta_table') -%}
        create {{ 'or replace ' if replace }}table {{ relation }}
        using delta
        {%- if node.config.get('partition_by') %}
        partitioned by ({{ node.config.partition_by | join(', ') }})
        {%- endif %}
        tblproperties ({{ _properties_list(all_properties) }})
        as
        {{ sql }}
    {%- endcall %}
    {% do adapter.cache_added(relation.incorporate(type='table')) %}
{% endmacro %}


{#-
  dbt-spark's clause, with the properties that a materialization knows only when it runs (`model.properties`), so that a
  table is made in one commit (dbt-spark 1.11.0 knows only those of the model's configuration).
-#}
{% macro spark__tblproperties_clause() -%}
    {%- set properties = _retention_properties() -%}
    {%- do properties.update(config.get('tblproperties') or {}) -%}
    {%- do properties.update(model.get('properties', {})) %}
    tblproperties ({{ _properties_list(properties) }})
{%- endmacro %}


{#- The properties by which Delta keeps what a rollback may need: a day more than it reaches, for Delta counts by days. -#}
{% macro _retention_properties() %}
    {%- set kept = 'interval ' ~ (var('rollback_days') + 1) ~ ' days' -%}
    {{ return({'delta.logRetentionDuration': kept, 'delta.deletedFileRetentionDuration': kept}) }}
{% endmacro %}


{#- Set table properties (a dict of texts), in a commit of its own. -#}
{% macro _set_table_properties(relation, properties) %}
    {% do run_query('alter table ' ~ relation ~ ' set tblproperties (' ~ _properties_list(properties) ~ ')') %}
{% endmacro %}


{#- Properties, a dict, as the list in the brackets of `tblproperties`. -#}
{% macro _properties_list(properties) -%}
    {%- for name, value in properties.items() -%}
        {{ _text_literal(name) }} = {{ _text_literal(value | string) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#- The properties of a table, a dict of texts. -#}
{% macro _table_properties(relation) %}
    {#- A catalog of Databricks has its tables elsewhere than in the lake. -#}
    {%- set told = none if target.type == 'databricks' else modules.strata.properties(relation.schema, relation.identifier) -%}
    {%- if told is not none -%}
        {{ return(told) }}
    {%- endif -%}
    {%- set properties = {} -%}
    {%- for row in run_query('show tblproperties ' ~ relation) -%}
        {% do properties.update({row[0]: row[1]}) %}
    {%- endfor -%}
    {{ return(properties) }}
{% endmacro %}


{#- The value of a table property as text, or none. -#}
{% macro _table_property(relation, name) %}
    {{ return(_table_properties(relation).get(name)) }}
{% endmacro %}


{#-
  Add the text columns that a table does not have yet, in one commit: Delta's schema evolution, of the table's description
  alone. `columns` as _named_columns gives them; the comment of a column tells the name that it landed under. Returns those
  added.
-#}
{% macro _add_columns(relation, columns) %}
    {%- if not columns -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- set missing = columns | rejectattr('column_name', 'in', there) | list -%}
    {%- set definitions = [] -%}
    {%- for column in missing -%}
        {% do definitions.append('`' ~ column.column_name ~ '` string comment ' ~ _text_literal('landed as ' ~ column.name)) %}
    {%- endfor -%}
    {%- if missing -%}
        {% do run_query('alter table ' ~ relation ~ ' add columns (' ~ definitions | join(', ') ~ ')') %}
    {%- endif -%}
    {{ return(missing) }}
{% endmacro %}


{#- A query with its columns in the order of a table's, for an insert goes by position; null is what it lacks. -#}
{% macro _in_columns_of(relation, sql) -%}
    {%- set given = get_columns_in_query(sql) -%}
    select
        {%- for column in adapter.get_columns_in_relation(relation) %}
        {{ '`' ~ column.name ~ '`' if column.name in given else 'cast(null as ' ~ column.dtype ~ ') as `' ~ column.name ~ '`' }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ sql }}
    )
{%- endmacro %}


{#-
  A text as a Spark literal: Spark reads backslashes in literals as escapes.
-#}
{% macro _text_literal(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}


{#- Texts as a list in brackets, for `in`. -#}
{% macro _text_list(values) -%}
    (
    {%- for value in values -%}
        {{ _text_literal(value) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
    )
{%- endmacro %}


{#- The node of a model, snapshot or seed, by its name. -#}
{% macro _built_node(name) %}
    {%- for node in graph.nodes.values() if node.name == name and node.resource_type in ('model', 'snapshot', 'seed') -%}
        {{ return(node) }}
    {%- endfor -%}
{% endmacro %}


{#-
  The place where this run writes a node's table, by the node's name, whether it is there or not. Makes no edge in dbt's graph.
-#}
{% macro _place_of(name) %}
    {%- set node = _built_node(name) -%}
    {{ return(api.Relation.create(schema=node.schema, identifier=node.alias, type='table')) }}
{% endmacro %}


{#-
  Where this run reads a node's table, by the node's name, as ref() has it: its own place, or, with --defer where there is none,
  the place that the state tells. None when it has not been built.
-#}
{% macro _built_relation(name) %}
    {%- set own = load_relation(_place_of(name)) -%}
    {{ return(_deferred_relation(name) if own is none else own) }}
{% endmacro %}


{#- A node's table that a run with --defer reads where it has none of its own; none in other runs. Nothing writes it. -#}
{% macro _deferred_relation(name) %}
    {%- set deferred = _built_node(name).get('defer_relation') -%}
    {%- if deferred -%}
        {{ return(load_relation(api.Relation.create(schema=deferred.schema, identifier=deferred.alias, type='table'))) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}
