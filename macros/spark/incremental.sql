{#-
  The incremental materialization of this project, with two strategies: `replace_where`, which makes anew the rows that
  changes_of() names in the model's body (macros/spark/changes.sql), and `append_new` for a ledger whose body selects the
  rows that are not there yet. A model with any other strategy (an installed package's, say) is dbt-spark's own.

  Why not dbt-spark's (checked on 1.11.0): it has no strategy that replaces a range. `insert_overwrite` and
  `microbatch` on Delta overwrite partitions dynamically, which leaves a stale partition where a batch has no rows,
  and its staging view has no schema in its name, so that two models of one alias overwrite each other's under threads.
  `insert into ... replace where` is atomic, takes any predicate and handles empty ranges.

  How far the table has come is noted in its properties after the write: a run killed in between does the same once more,
  which changes nothing. A restore of the table restores them with it.
  With --empty dbt gives a model nothing to read: a table that is there is then left as it is, and one that is made then has
  come nowhere, so that the next run fills it. A table that follows nothing is made, and then written by others alone.
-#}
{% materialization incremental, adapter='spark' %}
    {%- if config.get('incremental_strategy') not in ('replace_where', 'append_new') -%}
        {{ return(dbt.materialization_incremental_spark()) }}
    {%- endif -%}
    {%- set existing = load_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set scopes = graph.get('strata_scopes', {}).pop(model.unique_id, []) -%}
    {#- For those who follow it, and for its tests, which look at what changed of a large table; else they cost for nothing. -#}
    {%- set keeps_changes = _is_followed() or (
        existing is not none and target.type != 'databricks' and modules.strata.is_large(this.schema, this.identifier)
    ) -%}
    {%- set properties = {'delta.enableChangeDataFeed': 'true'} if keeps_changes else {} -%}
    {%- for scope in scopes if scope.through is not none -%}
        {% do properties.update({scope.property: scope.through}) %}
    {%- endfor -%}

    {{ run_hooks(pre_hooks) }}

    {%- if existing is none or should_full_refresh() -%}
        {%- do model.update({'properties': properties}) -%}
        {% call statement('main') -%}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- endcall %}
        {% do persist_constraints(target_relation, model) %}
        {% do persist_docs(target_relation, model) %}
    {%- elif flags.EMPTY or scopes | rejectattr('nothing') | list | length == 0 -%}
        {% call noop_statement('main', 'OK nothing changed') -%} {%- endcall %}
        {#- What is older than some days the feed may not tell: the table keeps up though nothing changes. -#}
        {%- if not flags.EMPTY and scopes | selectattr('is_old') | list | length > 0 -%}
            {% do _set_table_properties(target_relation, properties) %}
        {%- endif -%}
    {%- else -%}
        {#- Before the write: what was written without is never told. -#}
        {%- if keeps_changes and _table_property(target_relation, 'delta.enableChangeDataFeed') != 'true' -%}
            {% do _set_table_properties(target_relation, {'delta.enableChangeDataFeed': 'true'}) %}
        {%- endif -%}
        {% call statement('main') -%}
            {%- if config.get('incremental_strategy') == 'append_new' -%}
            insert into {{ target_relation }} {{ compiled_code }}
            {%- else -%}
            {{ _replace_where(target_relation, _replaced_rows(scopes[0]), compiled_code) }}
            {%- endif -%}
        {%- endcall %}
        {% do _set_table_properties(target_relation, properties) %}
    {%- endif -%}

    {% do apply_grants(target_relation, config.get('grants'), true) %}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#- Whether a table follows that of this model by its changes. -#}
{% macro _is_followed() %}
    {%- for node in graph.nodes.values()
        if node.config.get('incremental_strategy') in ('replace_where', 'append_new') and model.unique_id in node.depends_on.nodes -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}
